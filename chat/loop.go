package chat

import (
	"errors"
	"fmt"
)

// loop is the variable of that name.
type loop struct {
	items   []any
	at      int
	depth   int
	changed []any // what loop.changed was called with last; nil before
	again   func(items []any) (text, error)
}

// runFor executes a loop.
func (m *machine) runFor(n forStmt, s *scope) (flow, error) {
	v, err := m.eval(n.in, s)
	if err != nil {
		return goOn, err
	}
	items, err := m.items(v)
	if err != nil {
		return goOn, err
	}
	return goOn, m.each(n, items, s, 0)
}

// each executes the body of a loop for items.
func (m *machine) each(n forStmt, items []any, s *scope, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("loops inside one another more than %d deep", maxDepth)
	}
	items, err := m.those(n, items, s)
	if err != nil {
		return err
	}
	l := &loop{items: items, depth: depth}
	if n.recursive {
		l.again = func(items []any) (text, error) {
			before := m.out
			m.out = &builder{}
			err := m.each(n, items, s, depth+1)
			t := m.out.text()
			m.out = before
			return t, err
		}
	}
	for i, item := range items {
		if err := m.step(0); err != nil {
			return err
		}
		inner := s.inner()
		inner.set("loop", l)
		l.at = i
		if err := m.assign(n.target, item, inner); err != nil {
			return err
		}
		f, err := m.run(n.body, inner)
		if err != nil {
			return err
		}
		if f == doBreak {
			return nil
		}
	}
	if len(items) == 0 {
		_, err := m.run(n.other, s.inner())
		return err
	}
	return nil
}

// those are the items that the loop's "if" lets through.
func (m *machine) those(n forStmt, items []any, s *scope) ([]any, error) {
	if n.test == nil {
		return items, nil
	}
	var out []any
	for _, item := range items {
		inner := s.inner()
		if err := m.assign(n.target, item, inner); err != nil {
			return nil, err
		}
		ok, err := m.eval(n.test, inner)
		if err != nil {
			return nil, err
		}
		if truth(ok) {
			out = append(out, item)
		}
	}
	return out, nil
}

// attr is an attribute of the variable loop.
func (l *loop) attr(name string) (any, bool) {
	n, i := int64(len(l.items)), int64(l.at)
	switch name {
	case "index":
		return i + 1, true
	case "index0":
		return i, true
	case "revindex":
		return n - i, true
	case "revindex0":
		return n - i - 1, true
	case "first":
		return i == 0, true
	case "last":
		return i == n-1, true
	case "length":
		return n, true
	case "depth":
		return int64(l.depth) + 1, true
	case "depth0":
		return int64(l.depth), true
	case "previtem":
		if i == 0 {
			return &undefined{"there is no previous item"}, true
		}
		return l.items[i-1], true
	case "nextitem":
		if i == n-1 {
			return &undefined{"there is no next item"}, true
		}
		return l.items[i+1], true
	case "cycle":
		return &native{"cycle", l.cycle}, true
	case "changed":
		return &native{"changed", l.hasChanged}, true
	}
	return nil, false
}

func (l *loop) cycle(_ *machine, a args) (any, error) {
	if len(a.pos) == 0 {
		return nil, errors.New("no items for cycling given")
	}
	return a.pos[l.at%len(a.pos)], nil
}

func (l *loop) hasChanged(m *machine, a args) (any, error) {
	before := l.changed
	l.changed = append([]any{}, a.pos...)
	if before == nil {
		return true, nil
	}
	same, err := m.equal(&list{items: before}, &list{items: l.changed}, 0)
	return !same, err
}
