package chat

import (
	"slices"
	"strconv"
)

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
