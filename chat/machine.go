package chat

import (
	"errors"
	"fmt"
	"time"
)

// limits bound one rendering. A template is a stranger's program: it ends, whatever it says.
type limits struct {
	steps int   // values worked out
	work  int64 // bytes of text copied or searched, and 16 for each entry of a list
	each  int64 // more of that for each byte of the messages
	time  time.Duration
}

var usual = limits{steps: 4_000_000, work: 64 << 20, each: 256, time: 10 * time.Second}

const (
	mostWork = 1 << 30
	maxRange = 100_000 // entries of range(); Jinja's sandbox has the same bound
)

// machine runs one template.
type machine struct {
	now      time.Time
	deadline time.Time
	steps    int   // left
	work     int64 // left
	calls    int   // of macros inside one another
	out      *builder
}

var (
	errSteps = errors.New("the template takes too many steps")
	errTime  = errors.New("the template takes too long")
	errWork  = errors.New("the template makes too much text, or too long lists")
)

// step counts one step and some bytes of work.
func (m *machine) step(bytes int) error {
	m.steps--
	m.work -= int64(bytes)
	switch {
	case m.steps < 0:
		return errSteps
	case m.work < 0:
		return errWork
	case m.steps%4096 == 0 && time.Now().After(m.deadline):
		return errTime
	}
	return nil
}

// entries counts the room of a list.
func (m *machine) entries(n int) error { return m.step(16 * n) }

// scope holds variables; those it lacks are looked for in the one around it.
type scope struct {
	vars   map[string]any
	around *scope
}

func (s *scope) inner() *scope { return &scope{around: s} }

func (s *scope) set(name string, v any) {
	if s.vars == nil {
		s.vars = map[string]any{}
	}
	s.vars[name] = v
}

func (s *scope) get(name string) any {
	for ; s != nil; s = s.around {
		if v, ok := s.vars[name]; ok {
			return v
		}
	}
	return &undefined{fmt.Sprintf("'%s' is undefined", name)}
}

// What a statement does to the loop around it.
type flow uint8

const (
	goOn flow = iota
	doBreak
	doContinue
)

// run executes statements.
func (m *machine) run(body []stmt, s *scope) (flow, error) {
	for _, st := range body {
		f, err := m.statement(st, s)
		if err != nil {
			return goOn, at(st.line, err)
		}
		if f != goOn {
			return f, nil
		}
	}
	return goOn, nil
}

func (m *machine) statement(st stmt, s *scope) (flow, error) {
	switch n := st.node.(type) {
	case dataStmt:
		m.out.own(n.text)
		return goOn, m.step(len(n.text))
	case printStmt:
		v, err := m.eval(n.of, s)
		if err != nil {
			return goOn, err
		}
		t, err := m.str(v)
		if err != nil {
			return goOn, err
		}
		m.out.add(t)
		return goOn, m.step(len(t.s))
	case ifStmt:
		return m.runIf(n, s)
	case forStmt:
		return m.runFor(n, s)
	case setStmt:
		v, err := m.eval(n.value, s)
		if err != nil {
			return goOn, err
		}
		return goOn, m.assign(n.target, v, s)
	case setBlockStmt:
		t, err := m.captured(n.body, s.inner(), n.filter)
		if err != nil {
			return goOn, err
		}
		return goOn, m.assign(n.target, t, s)
	case macroStmt:
		s.set(n.name, &macro{n.macroDef, s})
	case callStmt:
		return goOn, m.runCall(n, s)
	case withStmt:
		return m.runWith(n, s)
	case filterStmt:
		t, err := m.captured(n.body, s.inner(), n.filter)
		if err != nil {
			return goOn, err
		}
		out, err := m.str(t)
		m.out.add(out)
		return goOn, err
	case scopeStmt:
		return m.run(n.body, s.inner())
	case breakStmt:
		return doBreak, nil
	case continueStmt:
		return doContinue, nil
	}
	return goOn, nil
}

// captured runs statements and returns what they print, through a filter where there is one.
func (m *machine) captured(body []stmt, s *scope, filter expr) (any, error) {
	before := m.out
	m.out = &builder{}
	_, err := m.run(body, s)
	t := m.out.text()
	m.out = before
	if err != nil || filter == nil {
		return t, err
	}
	return m.eval(withInput(filter, t), s)
}

// withInput puts a value at the beginning of a chain of filters.
func withInput(chain expr, v any) expr {
	f := chain.(filterExpr)
	if f.of == nil {
		f.of = constExpr{v}
	} else {
		f.of = withInput(f.of, v)
	}
	return f
}

func (m *machine) runIf(n ifStmt, s *scope) (flow, error) {
	for i, test := range n.tests {
		v, err := m.eval(test, s)
		if err != nil {
			return goOn, err
		}
		if truth(v) {
			return m.run(n.bodies[i], s)
		}
	}
	if len(n.bodies) > len(n.tests) {
		return m.run(n.bodies[len(n.tests)], s)
	}
	return goOn, nil
}

func (m *machine) runCall(n callStmt, s *scope) error {
	call := n.call.(callExpr)
	fn, err := m.eval(call.fn, s)
	if err != nil {
		return err
	}
	a, err := m.arguments(call.args, s)
	if err != nil {
		return err
	}
	a.names, a.named = append(a.names, "caller"), append(a.named, &macro{n.body, s})
	v, err := m.call(fn, a)
	if err != nil {
		return err
	}
	t, err := m.str(v)
	m.out.add(t)
	return err
}

func (m *machine) runWith(n withStmt, s *scope) (flow, error) {
	inner := s.inner()
	for i, target := range n.targets {
		v, err := m.eval(n.values[i], s)
		if err != nil {
			return goOn, err
		}
		if err := m.assign(target, v, inner); err != nil {
			return goOn, err
		}
	}
	return m.run(n.body, inner)
}

// assign sets a name, an attribute of a namespace, or several names.
func (m *machine) assign(target expr, v any, s *scope) error {
	switch t := target.(type) {
	case nameExpr:
		s.set(t.name, v)
	case attrExpr:
		ns, ok := s.get(t.of.(nameExpr).name).(*namespace)
		if !ok {
			return errors.New("cannot assign attribute on non-namespace object")
		}
		return ns.vars.set(text{s: t.name}, v)
	case listExpr:
		items, err := m.items(v)
		if err != nil {
			return err
		}
		if len(items) < len(t.items) {
			return fmt.Errorf("not enough values to unpack (expected %d, got %d)", len(t.items), len(items))
		}
		if len(items) > len(t.items) {
			return fmt.Errorf("too many values to unpack (expected %d)", len(t.items))
		}
		for i, item := range items {
			if err := m.assign(t.items[i], item, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// items are what a loop over a value sees.
func (m *machine) items(v any) ([]any, error) {
	var out []any
	switch v := v.(type) {
	case *undefined:
		return nil, nil
	case *list:
		return v.items, m.step(0)
	case *dict:
		return v.keys, m.step(0)
	case text:
		if err := m.entries(4 * len(v.s)); err != nil {
			return nil, err
		}
		for _, r := range v.runes() {
			out = append(out, r)
		}
		return out, nil
	case *iterator:
		return v.rest()
	case *numbers:
		if err := m.entries(int(v.n)); err != nil {
			return nil, err
		}
		for i := range v.n {
			out = append(out, v.from+i*v.step)
		}
		return out, nil
	}
	return nil, fmt.Errorf("'%s' object is not iterable", typeName(v))
}
