package chat

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func firstFilter(m *machine, v any) (any, error) {
	if c, ok := m.at(v, 0); ok {
		return c, nil
	}
	if i, ok := v.(*iterator); ok {
		if c, ok, err := i.next(); ok || err != nil {
			return c, err
		}
	}
	items, err := m.items(v)
	if err != nil || len(items) == 0 {
		return &undefined{"No first item, sequence was empty."}, err
	}
	return items[0], nil
}

func lastFilter(m *machine, v any) (any, error) {
	if c, ok := m.at(v, -1); ok {
		return c, nil
	}
	if _, ok := v.(*iterator); ok {
		return nil, errNotReversible
	}
	items, err := m.items(v)
	if err != nil || len(items) == 0 {
		return &undefined{"No last item, sequence was empty."}, err
	}
	return items[len(items)-1], nil
}

func itemsFilter(_ *machine, v any, a args) (any, error) {
	if err := newReader("items", a).done(); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case *undefined:
		return &list{}, nil
	case *dict:
		return v.pairs(), nil
	}
	return nil, errors.New("can only get item pairs from a mapping")
}

func reverseFilter(m *machine, v any) (any, error) {
	items, err := m.items(v)
	if err != nil {
		return nil, err
	}
	items = slices.Clone(items)
	slices.Reverse(items)
	switch v.(type) {
	case text:
		return m.joined(items, text{}, false)
	case *iterator:
		return &list{items: items}, m.entries(len(items))
	}
	return &iterator{kind: "list_reverseiterator", items: items}, m.entries(len(items))
}

// joined joins strings; other values are an error when strict, else they are what they print as.
func (m *machine) joined(items []any, sep text, strict bool) (any, error) {
	var b builder
	for i, item := range items {
		if i > 0 {
			b.add(sep)
		}
		t, ok := item.(text)
		if !ok && strict {
			return nil, fmt.Errorf("sequence item %d: expected str instance, %s found", i, typeName(item))
		}
		var err error
		if !ok {
			if t, err = m.str(item); err != nil {
				return nil, err
			}
		}
		b.add(t)
		if err := m.step(len(t.s) + len(sep.s)); err != nil {
			return nil, err
		}
	}
	return b.text(), nil
}

func joinFilter(m *machine, v any, a args) (any, error) {
	r := newReader("join", a)
	sep := r.text("d", text{})
	attribute, _ := r.next("attribute")
	if err := r.done(); err != nil {
		return nil, err
	}
	items, err := m.items(v)
	if err != nil {
		return nil, err
	}
	if items, err = m.attributes(items, attribute, nil); err != nil {
		return nil, err
	}
	return m.joined(items, sep, false)
}

// attributes are the attributes of items by a name such as "a.0.b", or the items without a name.
func (m *machine) attributes(items []any, name, otherwise any) ([]any, error) {
	if name == nil {
		return items, nil
	}
	out := make([]any, len(items))
	for i, item := range items {
		v, err := m.attribute(item, name, otherwise)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, m.entries(len(items))
}

func (m *machine) attribute(v, name, otherwise any) (any, error) {
	t, ok := name.(text)
	if !ok {
		return m.item(v, name)
	}
	for _, part := range strings.Split(t.s, ".") {
		var key any = text{s: part}
		if i, err := strconv.ParseInt(part, 10, 64); err == nil {
			key = i
		}
		var err error
		if v, err = m.item(v, key); err != nil {
			return nil, err
		}
		if _, ok := v.(*undefined); ok && otherwise != nil {
			v = otherwise
		}
	}
	return v, nil
}

func sumFilter(m *machine, v any, a args) (any, error) {
	r := newReader("sum", a)
	attribute, _ := r.next("attribute")
	sum, ok := r.next("start")
	if !ok {
		sum = int64(0)
	}
	items, err := m.items(v)
	if err = errors.Join(r.done(), err); err != nil {
		return nil, err
	}
	if items, err = m.attributes(items, attribute, nil); err != nil {
		return nil, err
	}
	for _, item := range items {
		if _, ok := sum.(text); ok {
			return nil, errors.New("sum() can't sum strings [use ''.join(seq) instead]")
		}
		if sum, err = m.arithmetic("+", sum, item); err != nil {
			return nil, err
		}
	}
	return sum, nil
}

// sortKey makes comparing ignore case unless asked not to.
func sortKey(v any, cased bool) any {
	if t, ok := v.(text); ok && !cased {
		return text{s: strings.ToLower(t.s)}
	}
	return v
}

// extreme is the filter min or max.
func extreme(op string) filter {
	return func(m *machine, v any, a args) (any, error) {
		r := newReader("the filter", a)
		cased := r.bool("case_sensitive", false)
		attribute, _ := r.next("attribute")
		items, err := m.items(v)
		if err = errors.Join(r.done(), err); err != nil {
			return nil, err
		}
		if len(items) == 0 {
			return &undefined{"No aggregated item, sequence was empty."}, nil
		}
		keys, err := m.attributes(items, attribute, nil)
		if err != nil {
			return nil, err
		}
		best := 0
		for i := range items {
			better, err := m.compare(op, sortKey(keys[i], cased), sortKey(keys[best], cased))
			if err != nil {
				return nil, err
			}
			if better {
				best = i
			}
		}
		return items[best], nil
	}
}

func mapFilter(m *machine, v any, a args) (any, error) {
	if !truth(v) {
		return &list{}, nil
	}
	items, err := m.items(v)
	if err != nil {
		return nil, err
	}
	out := &list{items: make([]any, 0, len(items))}
	if at := slices.Index(a.names, "attribute"); at >= 0 && len(a.pos) == 0 {
		var otherwise any
		if d := slices.Index(a.names, "default"); d >= 0 {
			otherwise = a.named[d]
		}
		out.items, err = m.attributes(items, a.named[at], otherwise)
		return out, err
	}
	if len(a.pos) == 0 {
		return nil, errors.New("map requires a filter argument")
	}
	name, ok := a.pos[0].(text)
	if !ok {
		return nil, errors.New("map requires the name of a filter")
	}
	for _, item := range items {
		value, err := m.filter(name.s, item, args{a.pos[1:], a.names, a.named})
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, value)
	}
	return out, m.entries(len(items))
}

// chosen is one of the filters that keep some items: those that pass a test, or those that do not.
func chosen(keep, byAttribute bool) filter {
	return func(m *machine, v any, a args) (any, error) {
		if !truth(v) {
			return &list{}, nil
		}
		items, err := m.items(v)
		if err != nil {
			return nil, err
		}
		keys := items
		if byAttribute {
			if len(a.pos) == 0 {
				return nil, errors.New("missing parameter for attribute name")
			}
			if keys, err = m.attributes(items, a.pos[0], nil); err != nil {
				return nil, err
			}
			a.pos = a.pos[1:]
		}
		out := &list{}
		for i, item := range items {
			ok := truth(keys[i])
			if len(a.pos) > 0 {
				name, isText := a.pos[0].(text)
				if !isText {
					return nil, errors.New("expected the name of a test")
				}
				if ok, err = m.test(name.s, keys[i], args{a.pos[1:], a.names, a.named}); err != nil {
					return nil, err
				}
			}
			if ok == keep {
				out.items = append(out.items, item)
			}
		}
		return out, m.entries(len(items))
	}
}
