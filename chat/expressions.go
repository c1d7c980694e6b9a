package chat

import (
	"slices"
	"strconv"
	"strings"
)

// tuple reads an expression, or several with commas between.
func (p *parser) tuple() (expr, error) { return p.tupleOf(p.expression) }

func (p *parser) tupleOf(one func() (expr, error)) (expr, error) {
	first, err := one()
	if err != nil || !p.isOp(",") {
		return first, err
	}
	items := []expr{first}
	for p.skipOp(",") {
		if k := p.now().kind; k == tokVarEnd || k == tokBlockEnd || p.isOp(")") {
			break
		}
		e, err := one()
		if err != nil {
			return nil, err
		}
		items = append(items, e)
	}
	return listExpr{items, true}, nil
}

// expression reads one with "if" and "else" in it.
func (p *parser) expression() (expr, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	e, err := p.or()
	for err == nil && p.skipName("if") {
		c := condExpr{then: e}
		if c.test, err = p.or(); err != nil {
			return nil, err
		}
		if p.skipName("else") {
			if c.other, err = p.expression(); err != nil {
				return nil, err
			}
		}
		e = c
	}
	return e, err
}

func (p *parser) expressionNoCond() (expr, error) { return p.or() }

// row reads operands with operators of one level between them, from the left.
func (p *parser) row(operand func() (expr, error), operator func() string) (expr, error) {
	e, err := operand()
	if err != nil {
		return nil, err
	}
	for n := 0; ; n++ {
		op := operator()
		if op == "" {
			return e, nil
		}
		if n > maxRow {
			return nil, p.errorf("more than %d operators in a row", maxRow)
		}
		right, err := operand()
		if err != nil {
			return nil, err
		}
		e = binaryExpr{op, e, right}
	}
}

// maxRow bounds operators in a row, which are worked out inside one another.
const maxRow = 2000

func (p *parser) anyOp(ops ...string) func() string {
	return func() string {
		if p.now().kind == tokOp && slices.Contains(ops, p.now().text) {
			return p.next().text
		}
		return ""
	}
}

func (p *parser) word(name string) func() string {
	return func() string {
		if p.skipName(name) {
			return name
		}
		return ""
	}
}

func (p *parser) or() (expr, error)  { return p.row(p.and, p.word("or")) }
func (p *parser) and() (expr, error) { return p.row(p.not, p.word("and")) }

func (p *parser) not() (expr, error) {
	if !p.skipName("not") {
		return p.compare()
	}
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	e, err := p.not()
	return unaryExpr{"not", e}, err
}

func (p *parser) compare() (expr, error) {
	first, err := p.sum()
	if err != nil {
		return nil, err
	}
	c := compareExpr{first: first}
	for {
		op := p.anyOp("==", "!=", "<", "<=", ">", ">=")()
		switch {
		case op != "":
		case p.skipName("in"):
			op = "in"
		case p.isName("not") && p.tokens[p.at+1].kind == tokName && p.tokens[p.at+1].text == "in":
			p.at += 2
			op = "not in"
		case len(c.ops) == 0:
			return first, nil
		default:
			return c, nil
		}
		e, err := p.sum()
		if err != nil {
			return nil, err
		}
		c.ops, c.rest = append(c.ops, op), append(c.rest, e)
	}
}

func (p *parser) sum() (expr, error)     { return p.row(p.concat, p.anyOp("+", "-")) }
func (p *parser) concat() (expr, error)  { return p.row(p.product, p.anyOp("~")) }
func (p *parser) product() (expr, error) { return p.row(p.power, p.anyOp("*", "/", "//", "%")) }
func (p *parser) power() (expr, error) {
	return p.row(func() (expr, error) { return p.unary(true) }, p.anyOp("**"))
}

// unary reads an operand with what stands behind it.
func (p *parser) unary(filters bool) (e expr, err error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	if op := p.anyOp("-", "+")(); op != "" {
		if e, err = p.unary(false); err != nil {
			return nil, err
		}
		e = unaryExpr{op, e}
	} else if e, err = p.primary(); err != nil {
		return nil, err
	}
	if e, err = p.postfix(e); err != nil || !filters {
		return e, err
	}
	for {
		switch {
		case p.skipOp("|"):
			e, err = p.filterChain(e)
		case p.skipName("is"):
			e, err = p.test(e)
		case p.isOp("("):
			e, err = p.call(e)
		default:
			return e, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *parser) primary() (expr, error) {
	t := p.next()
	switch t.kind {
	case tokName:
		switch t.text {
		case "true", "True":
			return constExpr{true}, nil
		case "false", "False":
			return constExpr{false}, nil
		case "none", "None":
			return constExpr{nil}, nil
		}
		return nameExpr{t.text}, nil
	case tokString:
		s := t.text
		for p.now().kind == tokString {
			s += p.next().text
		}
		return constExpr{text{s: s}}, nil
	case tokInt:
		n, err := strconv.ParseInt(t.text, 0, 64)
		if strings.Trim(t.text, "0123456789") == "" {
			n, err = strconv.ParseInt(t.text, 10, 64)
		}
		if err != nil {
			return nil, p.errorf("the number %s is too large", t.text)
		}
		return constExpr{n}, nil
	case tokFloat:
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			return nil, p.errorf("the number %s is too large", t.text)
		}
		return constExpr{f}, nil
	case tokOp:
		switch t.text {
		case "(":
			return p.parens()
		case "[":
			items, err := p.list("]")
			return listExpr{items, false}, err
		case "{":
			return p.dict()
		}
	}
	p.at-- // the place to name
	return nil, p.errorf("unexpected %s", t)
}

func (p *parser) parens() (expr, error) {
	if p.skipOp(")") {
		return listExpr{nil, true}, nil
	}
	e, err := p.tuple()
	if err != nil {
		return nil, err
	}
	return e, p.wantOp(")")
}

func (p *parser) list(end string) (items []expr, err error) {
	for !p.skipOp(end) {
		if len(items) > 0 {
			if err := p.wantOp(","); err != nil {
				return nil, err
			}
			if p.skipOp(end) {
				break
			}
		}
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		items = append(items, e)
	}
	return items, nil
}

func (p *parser) dict() (expr, error) {
	var d dictExpr
	for !p.skipOp("}") {
		if len(d.keys) > 0 {
			if err := p.wantOp(","); err != nil {
				return nil, err
			}
			if p.skipOp("}") {
				break
			}
		}
		key, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.wantOp(":"); err != nil {
			return nil, err
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		d.keys, d.values = append(d.keys, key), append(d.values, value)
	}
	return d, nil
}

// postfix reads attributes, items and calls.
func (p *parser) postfix(e expr) (expr, error) {
	for n := 0; ; n++ {
		var err error
		switch {
		case n > maxRow:
			return nil, p.errorf("more than %d attributes in a row", maxRow)
		case p.skipOp("."):
			t := p.next()
			switch t.kind {
			case tokName:
				e = attrExpr{e, t.text}
			case tokInt:
				i, numErr := strconv.ParseInt(t.text, 10, 64)
				if numErr != nil {
					return nil, p.errorf("the number %s is too large", t.text)
				}
				e = itemExpr{e, constExpr{i}}
			default:
				return nil, p.errorf("expected a name, got %s", t)
			}
		case p.skipOp("["):
			e, err = p.subscript(e)
		case p.isOp("("):
			e, err = p.call(e)
		default:
			return e, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *parser) subscript(of expr) (expr, error) {
	var parts [3]expr
	n := 0
	for ; n < 3; n++ {
		if !p.isOp(":") && !p.isOp("]") {
			e, err := p.tuple()
			if err != nil {
				return nil, err
			}
			parts[n] = e
		}
		if !p.skipOp(":") {
			break
		}
	}
	if err := p.wantOp("]"); err != nil {
		return nil, err
	}
	if n == 0 {
		if parts[0] == nil {
			return nil, p.errorf("expected an expression in [ ]")
		}
		return itemExpr{of, parts[0]}, nil
	}
	return itemExpr{of, sliceExpr{parts[0], parts[1], parts[2]}}, nil
}

func (p *parser) call(fn expr) (expr, error) {
	p.next()
	args, err := p.arguments()
	return callExpr{fn, args}, err
}

// arguments reads what stands between parentheses; the first is read already.
func (p *parser) arguments() (a arguments, err error) {
	for n := 0; !p.skipOp(")"); n++ {
		if n > 0 {
			if err := p.wantOp(","); err != nil {
				return a, err
			}
			if p.skipOp(")") {
				break
			}
		}
		switch {
		case p.skipOp("**"):
			a.stars, err = p.expression()
		case p.skipOp("*"):
			a.star, err = p.expression()
		case p.now().kind == tokName && p.tokens[p.at+1].kind == tokOp && p.tokens[p.at+1].text == "=":
			a.names = append(a.names, p.next().text)
			p.next()
			var e expr
			e, err = p.expression()
			a.values = append(a.values, e)
		case len(a.names) > 0:
			return a, p.errorf("an argument without a name after one with a name")
		default:
			var e expr
			e, err = p.expression()
			a.pos = append(a.pos, e)
		}
		if err != nil {
			return a, err
		}
	}
	return a, nil
}

// filterChain reads the name of a filter with its arguments, and of those after it.
func (p *parser) filterChain(of expr) (expr, error) {
	for n := 0; ; n++ {
		name, err := p.dotted()
		if err != nil {
			return nil, err
		}
		f := filterExpr{of: of, name: name}
		if n > maxRow {
			return nil, p.errorf("more than %d filters in a row", maxRow)
		}
		if p.skipOp("(") {
			if f.args, err = p.arguments(); err != nil {
				return nil, err
			}
		}
		of = f
		if !p.skipOp("|") {
			return of, nil
		}
	}
}

func (p *parser) dotted() (string, error) {
	name, err := p.wantName()
	for err == nil && p.skipOp(".") {
		var more string
		more, err = p.wantName()
		name += "." + more
	}
	return name, err
}

// test reads what stands behind "is".
func (p *parser) test(of expr) (expr, error) {
	t := testExpr{of: of, not: p.skipName("not")}
	name, err := p.dotted()
	if err != nil {
		return nil, err
	}
	t.name = name
	switch now := p.now(); {
	case p.skipOp("("):
		t.args, err = p.arguments()
	case now.kind == tokName && !slices.Contains([]string{"else", "or", "and", "if", "is", "in", "not", "recursive"}, now.text),
		now.kind == tokString, now.kind == tokInt, now.kind == tokFloat, p.isOp("["), p.isOp("{"):
		var e expr
		if e, err = p.primary(); err == nil {
			e, err = p.postfix(e)
		}
		t.args.pos = []expr{e}
	case p.isName("is"):
		return nil, p.errorf("You cannot chain multiple tests with is")
	}
	return t, err
}
