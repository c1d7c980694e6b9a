package chat

import (
	"errors"
	"slices"
	"strings"
)

// sorted are items in the order of their keys.
func (m *machine) sorted(items, keys []any, reverse bool) ([]any, error) {
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	var failed error
	slices.SortStableFunc(order, func(a, b int) int {
		if failed != nil {
			return 0
		}
		if reverse {
			a, b = b, a
		}
		less, err := m.less(keys[a], keys[b], "<", 0)
		if err == nil && !less {
			if less, err = m.less(keys[b], keys[a], "<", 0); less {
				failed = err
				return 1
			}
			failed = err
			return 0
		}
		failed = err
		return -1
	})
	out := make([]any, len(items))
	for i, at := range order {
		out[i] = items[at]
	}
	return out, failed
}

func sortFilter(m *machine, v any, a args) (any, error) {
	r := newReader("sort", a)
	reverse, cased := r.bool("reverse", false), r.bool("case_sensitive", false)
	attribute, _ := r.next("attribute")
	items, err := m.items(v)
	if err = errors.Join(r.done(), err); err != nil {
		return nil, err
	}
	keys := make([]any, len(items))
	names := []any{attribute}
	if t, ok := attribute.(text); ok && strings.Contains(t.s, ",") {
		names = nil
		for _, part := range t.split(",", -1) {
			names = append(names, part)
		}
	}
	for i, item := range items {
		key := &list{}
		for _, name := range names {
			k := item
			if name != nil {
				if k, err = m.attribute(item, name, nil); err != nil {
					return nil, err
				}
			}
			key.items = append(key.items, sortKey(k, cased))
		}
		keys[i] = key
	}
	out, err := m.sorted(items, keys, reverse)
	return &list{items: out}, err
}

func dictsortFilter(m *machine, v any, a args) (any, error) {
	r := newReader("dictsort", a)
	cased, by, reverse := r.bool("case_sensitive", false), r.text("by", text{s: "key"}).s, r.bool("reverse", false)
	d, ok := v.(*dict)
	if !ok {
		r.fail("expected a mapping, not %s", typeName(v))
	}
	if by != "key" && by != "value" {
		r.fail(`You can only sort by either "key" or "value"`)
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	keys := make([]any, len(d.keys))
	for i, key := range d.keys {
		if by == "value" {
			key = d.at(key)
		}
		keys[i] = sortKey(key, cased)
	}
	out, err := m.sorted(d.pairs().items, keys, reverse)
	return &list{items: out}, err
}

func uniqueFilter(m *machine, v any, a args) (any, error) {
	r := newReader("unique", a)
	cased := r.bool("case_sensitive", false)
	attribute, _ := r.next("attribute")
	items, err := m.items(v)
	if err = errors.Join(r.done(), err); err != nil {
		return nil, err
	}
	keys, err := m.attributes(items, attribute, nil)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	out := &list{}
	for i, item := range items {
		k, err := keyOf(sortKey(keys[i], cased), 0)
		if err != nil {
			return nil, err
		}
		if !seen[k] {
			seen[k] = true
			out.items = append(out.items, item)
		}
	}
	return out, m.entries(len(items))
}

func groupbyFilter(m *machine, v any, a args) (any, error) {
	r := newReader("groupby", a)
	attribute := r.any("attribute")
	otherwise, _ := r.next("default")
	cased := r.bool("case_sensitive", false)
	items, err := m.items(v)
	if err = errors.Join(r.done(), err); err != nil {
		return nil, err
	}
	keys, err := m.attributes(items, attribute, otherwise)
	if err != nil {
		return nil, err
	}
	pairs := make([]any, len(items))
	for i, item := range items {
		pairs[i] = &list{items: []any{keys[i], item}}
		keys[i] = sortKey(keys[i], cased)
	}
	if pairs, err = m.sorted(pairs, keys, false); err != nil {
		return nil, err
	}
	out := &list{}
	var last any
	for _, p := range pairs {
		pair := p.(*list).items
		same := false
		if len(out.items) > 0 {
			if same, err = m.equal(last, sortKey(pair[0], cased), 0); err != nil {
				return nil, err
			}
		}
		if !same {
			out.items = append(out.items, &list{items: []any{pair[0], &list{}}, tuple: true})
			last = sortKey(pair[0], cased)
		}
		group := out.items[len(out.items)-1].(*list).items[1].(*list)
		group.items = append(group.items, pair[1])
	}
	return out, nil
}

func batchFilter(m *machine, v any, a args) (any, error) {
	r := newReader("batch", a)
	size := int(min(r.int("linecount", 0), maxRange))
	fill, _ := r.next("fill_with")
	items, err := m.items(v)
	if size < 1 {
		r.fail("the size must be 1 or more")
	}
	if err = errors.Join(r.done(), err); err != nil {
		return nil, err
	}
	out := &list{}
	for part := range slices.Chunk(items, size) {
		part = slices.Clone(part)
		for fill != nil && len(part) < size {
			part = append(part, fill)
		}
		out.items = append(out.items, &list{items: part})
	}
	return out, m.entries(len(items) + size)
}

func sliceFilter(m *machine, v any, a args) (any, error) {
	r := newReader("slice", a)
	n := int(min(r.int("slices", 0), maxRange))
	fill, _ := r.next("fill_with")
	items, err := m.items(v)
	if n < 1 {
		r.fail("the number of slices must be 1 or more")
	}
	if err = errors.Join(r.done(), err); err != nil {
		return nil, err
	}
	out := &list{}
	each, more := len(items)/n, len(items)%n
	for i := range n {
		from := i*each + min(i, more)
		to := (i+1)*each + min(i+1, more)
		part := slices.Clone(items[from:to])
		if fill != nil && i >= more {
			part = append(part, fill)
		}
		out.items = append(out.items, &list{items: part})
	}
	return out, m.entries(len(items) + n)
}
