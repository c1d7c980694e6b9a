package chat

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func firstFilter(m *machine, v any) (any, error) {
	items, err := m.items(v)
	if err != nil || len(items) == 0 {
		return &undefined{"No first item, sequence was empty."}, err
	}
	return items[0], nil
}

func lastFilter(m *machine, v any) (any, error) {
	items, err := m.items(v)
	if err != nil || len(items) == 0 {
		return &undefined{"No last item, sequence was empty."}, err
	}
	return items[len(items)-1], nil
}

func itemsFilter(_ *machine, v any) (any, error) {
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
	if _, ok := v.(text); ok {
		return m.joined(items, text{}, false)
	}
	return &list{items: items}, m.entries(len(items))
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
			out.items = append(out.items, &list{[]any{pair[0], &list{}}, true})
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
