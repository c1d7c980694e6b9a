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
	loops  int             // loops around
	named  map[string]bool // names that the macro around reads
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
	return &Error{Line: p.now().line, Message: oneLine(fmt.Sprintf(format, args...))}
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
