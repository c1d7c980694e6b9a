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
		if p.named != nil {
			p.named[t.text] = true
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
