package chat

import "maps"

func (p *parser) ifStatement() (any, error) {
	var s ifStmt
	for {
		test, err := p.tuple()
		if err != nil {
			return nil, err
		}
		s.tests = append(s.tests, test)
		if err := p.wantEnd(); err != nil {
			return nil, err
		}
		body, end, err := p.statements([]string{"elif", "else", "endif"})
		if err != nil {
			return nil, err
		}
		s.bodies = append(s.bodies, body)
		if end == "elif" {
			continue
		}
		if end == "else" {
			other, err := p.block("endif")
			s.bodies = append(s.bodies, other)
			return s, err
		}
		return s, p.wantEnd()
	}
}

func (p *parser) forStatement() (any, error) {
	target, err := p.target()
	if err != nil {
		return nil, err
	}
	if !p.skipName("in") {
		return nil, p.errorf("expected 'in', got %s", p.now())
	}
	s := forStmt{target: target}
	if s.in, err = p.tupleOf(p.expressionNoCond); err != nil {
		return nil, err
	}
	if p.skipName("if") {
		if s.test, err = p.expression(); err != nil {
			return nil, err
		}
	}
	s.recursive = p.skipName("recursive")
	if err := p.wantEnd(); err != nil {
		return nil, err
	}
	p.loops++
	body, end, err := p.statements([]string{"else", "endfor"})
	p.loops--
	if err != nil {
		return nil, err
	}
	s.body = body
	if end == "else" {
		s.other, err = p.block("endfor")
		return s, err
	}
	return s, p.wantEnd()
}

// target reads what is assigned to: a name, a name's attribute, or several in a row.
func (p *parser) target() (expr, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	var items []expr
	for {
		item, err := p.oneTarget(len(items) == 0)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
		if !p.skipOp(",") {
			break
		}
		if p.isName("in") || p.isOp("=") || p.isOp(")") {
			return listExpr{items, true}, nil
		}
	}
	if len(items) > 1 {
		return listExpr{items, true}, nil
	}
	return items[0], nil
}

func (p *parser) oneTarget(first bool) (expr, error) {
	if p.skipOp("(") {
		e, err := p.target()
		if err != nil {
			return nil, err
		}
		return e, p.wantOp(")")
	}
	name, err := p.wantName()
	if err != nil || !first || !p.skipOp(".") {
		return nameExpr{name}, err
	}
	attr, err := p.wantName()
	return attrExpr{nameExpr{name}, attr}, err
}

func (p *parser) setStatement() (any, error) {
	target, err := p.target()
	if err != nil {
		return nil, err
	}
	if p.skipOp("=") {
		value, err := p.tuple()
		if err != nil {
			return nil, err
		}
		return setStmt{target, value}, p.wantEnd()
	}
	var filter expr
	if p.skipOp("|") {
		if filter, err = p.filterChain(nil); err != nil {
			return nil, err
		}
	}
	body, err := p.block("endset")
	return setBlockStmt{target, filter, body}, err
}

func (p *parser) macroStatement() (any, error) {
	name, err := p.wantName()
	if err != nil {
		return nil, err
	}
	m := &macroDef{name: name}
	if err := p.parameters(m); err != nil {
		return nil, err
	}
	loops := p.loops
	p.loops = 0
	err = p.macroBody(m, "endmacro")
	p.loops = loops
	return macroStmt{m}, err
}

// macroBody reads the body of a macro and what names it reads, which what is around reads, too.
func (p *parser) macroBody(m *macroDef, end string) (err error) {
	around := p.named
	p.named = map[string]bool{}
	m.body, err = p.block(end)
	m.reads, p.named = p.named, around
	if around != nil {
		maps.Copy(around, m.reads)
	}
	return err
}

func (p *parser) parameters(m *macroDef) error {
	if err := p.wantOp("("); err != nil {
		return err
	}
	for !p.skipOp(")") {
		if len(m.params) > 0 {
			if err := p.wantOp(","); err != nil {
				return err
			}
		}
		name, err := p.wantName()
		if err != nil {
			return err
		}
		m.params = append(m.params, name)
		switch {
		case p.skipOp("="):
			e, err := p.expression()
			if err != nil {
				return err
			}
			m.defaults = append(m.defaults, e)
		case len(m.defaults) > 0:
			return p.errorf("a parameter without a default after one with a default")
		}
	}
	return nil
}

func (p *parser) callStatement() (any, error) {
	m := &macroDef{name: "caller"}
	if p.isOp("(") {
		if err := p.parameters(m); err != nil {
			return nil, err
		}
	}
	e, err := p.expression()
	if err != nil {
		return nil, err
	}
	if _, ok := e.(callExpr); !ok {
		return nil, p.errorf("expected a call")
	}
	err = p.macroBody(m, "endcall")
	return callStmt{e, m}, err
}

func (p *parser) withStatement() (any, error) {
	var s withStmt
	for p.now().kind != tokBlockEnd {
		if len(s.targets) > 0 {
			if err := p.wantOp(","); err != nil {
				return nil, err
			}
		}
		target, err := p.target()
		if err != nil {
			return nil, err
		}
		if err := p.wantOp("="); err != nil {
			return nil, err
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		s.targets, s.values = append(s.targets, target), append(s.values, value)
	}
	body, err := p.block("endwith")
	s.body = body
	return s, err
}
