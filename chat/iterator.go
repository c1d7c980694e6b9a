package chat

import (
	"errors"
	"fmt"
)

// iterator is what filters such as map and select make, as Python's generators are: nothing is computed before its
// items are asked for, and they are there once.
type iterator struct {
	kind  string                // Python's name of the type
	make  func() ([]any, error) // nil once it was called
	items []any
	depth int // iterators that it goes through
}

// iteratorOf makes an iterator over what f makes a list of, when it is asked for.
func iteratorOf(m *machine, v any, f func() (any, error)) (*iterator, error) {
	depth := 0
	if inner, ok := v.(*iterator); ok {
		depth = inner.depth + 1
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("iterators inside one another more than %d deep", maxDepth)
	}
	return &iterator{kind: "generator", depth: depth, make: func() ([]any, error) {
		out, err := f()
		if err != nil {
			return nil, err
		}
		return out.(*list).items, nil
	}}, m.step(0)
}

// lazy is a filter that makes an iterator of the list that f makes.
func lazy(f filter) filter {
	return func(m *machine, v any, a args) (any, error) {
		return iteratorOf(m, v, func() (any, error) { return f(m, v, a) })
	}
}

// fill computes the items.
func (i *iterator) fill() error {
	if i.make == nil {
		return nil
	}
	f := i.make
	i.make = nil
	var err error
	i.items, err = f()
	return err
}

// rest are the items that are left. They are gone then.
func (i *iterator) rest() ([]any, error) {
	err := i.fill()
	out := i.items
	i.items = nil
	return out, err
}

// next is the next item; ok is false where none is left.
func (i *iterator) next() (v any, ok bool, err error) {
	if err := i.fill(); err != nil || len(i.items) == 0 {
		return nil, false, err
	}
	v, i.items = i.items[0], i.items[1:]
	return v, true, nil
}

// has looks for an item, and what came before it is gone then.
func (i *iterator) has(m *machine, what any) (bool, error) {
	for {
		v, ok, err := i.next()
		if !ok || err != nil {
			return false, err
		}
		if same, err := m.equal(v, what, 0); same || err != nil {
			return same, err
		}
	}
}

var errNotReversible = errors.New("'generator' object is not reversible")
