package chat

import (
	"fmt"
	"slices"
	"strings"
)

// maxDepth bounds what may stand inside one another: brackets, blocks, calls of macros, values.
const maxDepth = 100

// parser reads statements and expressions.
type parser struct {
	tokens []token
	at     int
	depth  int
	loops  int // loops around
}

func parse(src string) ([]stmt, error) {
	tokens, err := lex(src)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	body, end, err := p.statements(nil)
	if err == nil && end != "" {
		err = p.errorf("unknown tag '%s'", end)
	}
	return body, err
}

func (p *parser) now() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if p.at < len(p.tokens)-1 {
		p.at++
	}
	return t
}

func (p *parser) errorf(format string, args ...any) error {
	return &Error{Line: p.now().line, Message: fmt.Sprintf(format, args...)}
}

func (p *parser) isOp(op string) bool     { return p.now().kind == tokOp && p.now().text == op }
func (p *parser) isName(name string) bool { return p.now().kind == tokName && p.now().text == name }

func (p *parser) skipOp(op string) bool {
	ok := p.isOp(op)
	if ok {
		p.next()
	}
	return ok
}

func (p *parser) skipName(name string) bool {
	ok := p.isName(name)
	if ok {
		p.next()
	}
	return ok
}

func (p *parser) wantOp(op string) error {
	if !p.skipOp(op) {
		return p.errorf("expected '%s', got %s", op, p.now())
	}
	return nil
}

func (p *parser) wantName() (string, error) {
	if p.now().kind != tokName {
		return "", p.errorf("expected a name, got %s", p.now())
	}
	return p.next().text, nil
}

func (p *parser) wantEnd() error {
	if p.now().kind != tokBlockEnd {
		return p.errorf("expected the end of the statement, got %s", p.now())
	}
	p.next()
	return nil
}

// String names a token for errors.
func (t token) String() string {
	switch t.kind {
	case tokEnd:
		return "the end of the template"
	case tokBlockEnd, tokVarEnd:
		return "the end of the tag"
	}
	return "'" + t.text + "'"
}

// deeper counts what stands inside one another.
func (p *parser) deeper() error {
	if p.depth++; p.depth > maxDepth {
		return p.errorf("more than %d blocks or expressions inside one another", maxDepth)
	}
	return nil
}

// statements reads up to one of the tags in ends, whose name is read too, or to the template's end.
func (p *parser) statements(ends []string) (body []stmt, end string, err error) {
	if err := p.deeper(); err != nil {
		return nil, "", err
	}
	defer func() { p.depth-- }()
	for {
		line := p.now().line
		switch t := p.next(); t.kind {
		case tokEnd:
			if ends != nil {
				return nil, "", p.errorf("the template ends before %s", strings.Join(ends, " or "))
			}
			return body, "", nil
		case tokData:
			body = append(body, stmt{line, dataStmt{t.text}})
		case tokVarBegin:
			e, err := p.tuple()
			if err != nil {
				return nil, "", err
			}
			if p.now().kind != tokVarEnd {
				return nil, "", p.errorf("expected the end of the expression, got %s", p.now())
			}
			p.next()
			body = append(body, stmt{line, printStmt{e}})
		case tokBlockBegin:
			name, err := p.wantName()
			if err != nil {
				return nil, "", err
			}
			if slices.Contains(ends, name) {
				return body, name, nil
			}
			node, err := p.statement(name)
			if err != nil {
				return nil, "", err
			}
			body = append(body, stmt{line, node})
		}
	}
}

// statement reads the rest of a statement and its blocks.
func (p *parser) statement(name string) (any, error) {
	switch name {
	case "if":
		return p.ifStatement()
	case "for":
		return p.forStatement()
	case "set":
		return p.setStatement()
	case "macro":
		return p.macroStatement()
	case "call":
		return p.callStatement()
	case "with":
		return p.withStatement()
	case "filter":
		f, err := p.filterChain(nil)
		if err != nil {
			return nil, err
		}
		body, err := p.block("endfilter")
		return filterStmt{f, body}, err
	case "generation":
		body, err := p.block("endgeneration")
		return scopeStmt{body}, err
	case "break", "continue":
		if p.loops == 0 {
			return nil, p.errorf("'%s' outside a loop", name)
		}
		if name == "break" {
			return breakStmt{}, p.wantEnd()
		}
		return continueStmt{}, p.wantEnd()
	}
	return nil, p.errorf("unknown tag '%s'", name)
}

// block reads the end of a tag, and the statements up to another.
func (p *parser) block(end string) ([]stmt, error) {
	if err := p.wantEnd(); err != nil {
		return nil, err
	}
	body, _, err := p.statements([]string{end})
	if err != nil {
		return nil, err
	}
	if p.now().kind == tokName && (end == "endmacro") {
		p.next() // may be named again
	}
	return body, p.wantEnd()
}

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
	var items []expr
	tuple := false
	paren := p.skipOp("(")
	for {
		name, err := p.wantName()
		if err != nil {
			return nil, err
		}
		var e expr = nameExpr{name}
		if p.isOp(".") && !paren && len(items) == 0 {
			p.next()
			attr, err := p.wantName()
			if err != nil {
				return nil, err
			}
			e = attrExpr{e, attr}
		}
		items = append(items, e)
		if !p.skipOp(",") {
			break
		}
		tuple = true
		if p.isName("in") || p.isOp("=") || p.isOp(")") {
			break
		}
	}
	if paren {
		if err := p.wantOp(")"); err != nil {
			return nil, err
		}
	}
	if tuple {
		return listExpr{items, true}, nil
	}
	return items[0], nil
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
	m.body, err = p.block("endmacro")
	p.loops = loops
	return macroStmt{m}, err
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
	m.body, err = p.block("endcall")
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
