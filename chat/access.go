package chat

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// changing are the methods that change a value; Jinja's sandbox has none of them.
var changing = []string{"append", "clear", "pop", "popitem", "reverse", "insert", "sort", "extend", "remove",
	"setdefault", "update", "add", "discard"}

// attr is of.name.
func (m *machine) attr(of any, name string) (any, error) {
	switch v := of.(type) {
	case *undefined:
		return nil, v.error()
	case *dict:
		if f := method(of, name); f != nil {
			return f, nil
		}
		if value, ok := v.get(text{s: name}); ok {
			return value, nil
		}
	case *namespace:
		if value, ok := v.vars.get(text{s: name}); ok {
			return value, nil
		}
	case *loop:
		if value, ok := v.attr(name); ok {
			return value, nil
		}
	case *macro:
		switch name {
		case "name":
			return text{s: v.def.name}, nil
		case "arguments":
			out := &list{tuple: true}
			for _, p := range v.def.params {
				out.items = append(out.items, text{s: p})
			}
			return out, nil
		}
	default:
		if f := method(of, name); f != nil {
			return f, nil
		}
	}
	return missing(of, name), nil
}

func missing(of any, name string) *undefined {
	object := "'" + typeName(of) + " object'"
	if of == nil {
		object = "'None'"
	}
	if slices.Contains(changing, name) || strings.HasPrefix(name, "_") {
		return &undefined{fmt.Sprintf("access to attribute '%s' of %s is unsafe.", name, object)}
	}
	return &undefined{fmt.Sprintf("%s has no attribute '%s'", object, name)}
}

func (m *machine) evalItem(e itemExpr, s *scope) (any, error) {
	of, err := m.eval(e.of, s)
	if err != nil {
		return nil, err
	}
	if sl, ok := e.key.(sliceExpr); ok {
		return m.slice(of, sl, s)
	}
	key, err := m.eval(e.key, s)
	if err != nil {
		return nil, err
	}
	return m.item(of, key)
}

// item is of[key].
func (m *machine) item(of, key any) (any, error) {
	if u, ok := of.(*undefined); ok {
		return nil, u.error()
	}
	if d, ok := of.(*dict); ok {
		if v, ok := d.get(key); ok {
			return v, nil
		}
	}
	if i, _, isInt, ok := number(key); ok && isInt {
		if v, ok := m.at(of, i); ok {
			return v, nil
		}
	}
	if name, ok := key.(text); ok {
		if _, isDict := of.(*dict); !isDict {
			return m.attr(of, name.s)
		}
		if f := method(of, name.s); f != nil {
			return f, nil
		}
		return missing(of, name.s), nil
	}
	shown, err := m.str(key)
	return missing(of, shown.s), err
}

// at is entry number i, counted from the end when it is negative.
func (m *machine) at(of any, i int64) (any, bool) {
	n := int64(0)
	switch v := of.(type) {
	case *list:
		if v.view == "" {
			n = int64(len(v.items))
		}
	case text:
		n = int64(utf8.RuneCountInString(v.s))
		_ = m.step(len(v.s))
	case *numbers:
		n = v.n
	}
	if i < 0 {
		i += n
	}
	if i < 0 || i >= n {
		return nil, false
	}
	switch v := of.(type) {
	case *list:
		return v.items[i], true
	case *numbers:
		return v.from + i*v.step, true
	}
	t := of.(text)
	from := 0
	for range i {
		_, size := utf8.DecodeRuneInString(t.s[from:])
		from += size
	}
	_, size := utf8.DecodeRuneInString(t.s[from:])
	return t.cut(from, from+size), true
}

// slice is of[a:b:c].
func (m *machine) slice(of any, e sliceExpr, s *scope) (any, error) {
	if u, ok := of.(*undefined); ok {
		return nil, u.error()
	}
	var bounds [3]*int64
	for i, part := range []expr{e.from, e.to, e.step} {
		if part == nil {
			continue
		}
		v, err := m.eval(part, s)
		if err != nil {
			return nil, err
		}
		n, _, isInt, ok := number(v)
		switch {
		case v == nil:
		case ok && isInt:
			bounds[i] = &n
		default:
			return nil, fmt.Errorf("slice indices must be integers or None or have an __index__ method")
		}
	}
	if t, ok := of.(text); ok && (bounds[2] == nil || *bounds[2] == 1) {
		n := utf8.RuneCountInString(t.s)
		from, to := span(bounds, n)
		return t.part(from, to), m.step(2 * len(t.s))
	}
	return m.entriesOf(of, bounds)
}

// entriesOf is a slice of anything, entry by entry.
func (m *machine) entriesOf(of any, bounds [3]*int64) (any, error) {
	if _, isDict := of.(*dict); isDict {
		return nil, errors.New("unhashable type: 'slice'")
	}
	l, isList := of.(*list)
	_, isIterator := of.(*iterator)
	if isIterator || isList && l.view != "" {
		return nil, fmt.Errorf("'%s' object is not subscriptable", typeName(of))
	}
	items, err := m.items(of)
	if err != nil {
		return nil, fmt.Errorf("'%s' object is not subscriptable", typeName(of))
	}
	indices, err := sliceIndices(bounds, len(items))
	if err != nil {
		return nil, err
	}
	if r, ok := of.(*numbers); ok {
		return r.slice(bounds, indices), nil
	}
	if err := m.entries(len(indices)); err != nil {
		return nil, err
	}
	if _, ok := of.(text); ok {
		var b builder
		for _, i := range indices {
			b.add(items[i].(text))
		}
		return b.text(), nil
	}
	out := &list{tuple: isList && l.tuple}
	for _, i := range indices {
		out.items = append(out.items, items[i])
	}
	return out, nil
}

// span is where a slice of n entries with a step of 1 begins and ends.
func span(bounds [3]*int64, n int) (from, to int64) {
	place := func(b *int64, otherwise int64) int64 {
		if b == nil {
			return otherwise
		}
		i := *b
		if i < 0 {
			i += int64(n)
		}
		return min(max(i, 0), int64(n))
	}
	return place(bounds[0], 0), place(bounds[1], int64(n))
}

// slice is a part of range().
func (r *numbers) slice(bounds [3]*int64, indices []int64) *numbers {
	out := &numbers{from: r.from, step: r.step, n: int64(len(indices))}
	if len(indices) > 0 {
		out.from += indices[0] * r.step
	}
	if bounds[2] != nil {
		out.step *= max(min(*bounds[2], maxRange), -maxRange)
	}
	out.to = out.from + out.n*out.step
	return out
}

// sliceIndices are the places that a slice takes, as Python has them.
func sliceIndices(bounds [3]*int64, n int) ([]int64, error) {
	size, step := int64(n), int64(1)
	if bounds[2] != nil {
		step = *bounds[2]
	}
	if step == 0 {
		return nil, fmt.Errorf("slice step cannot be zero")
	}
	low, high := int64(0), size
	if step < 0 {
		low, high = -1, size-1
	}
	place := func(b *int64, otherwise int64) int64 {
		if b == nil {
			return otherwise
		}
		i := *b
		if i < 0 {
			i += size
		}
		return min(max(i, low), high)
	}
	from, to := place(bounds[0], low), place(bounds[1], high)
	if step < 0 {
		from, to = place(bounds[0], high), place(bounds[1], low)
	}
	step = min(max(step, -size-1), size+1)
	var out []int64
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		out = append(out, i)
	}
	return out, nil
}
