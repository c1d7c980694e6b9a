package chat

import (
	"fmt"
)

// number is a value as a number: of Python's numbers, True and False are two.
func number(v any) (i int64, f float64, isInt, ok bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, 1, true, true
		}
		return 0, 0, true, true
	case int64:
		return v, float64(v), true, true
	case float64:
		return 0, v, false, true
	}
	return 0, 0, false, false
}

// equal is Python's ==.
func (m *machine) equal(a, b any, depth int) (bool, error) {
	if err := m.step(0); err != nil {
		return false, err
	}
	if depth > maxDepth {
		return false, fmt.Errorf("values inside one another more than %d deep", maxDepth)
	}
	if i, f, isInt, ok := number(a); ok {
		j, g, isInt2, ok := number(b)
		if isInt && isInt2 {
			return ok && i == j, nil
		}
		return ok && f == g, nil
	}
	switch a := a.(type) {
	case nil:
		return b == nil, nil
	case text:
		b, ok := b.(text)
		return ok && a.s == b.s, m.step(min(len(a.s), len(b.s)))
	case *undefined:
		_, ok := b.(*undefined)
		return ok, nil
	case *list:
		b, ok := b.(*list)
		if !ok || a.tuple != b.tuple || a.view != b.view || a.view == "dict_values" || len(a.items) != len(b.items) {
			return a == b, nil
		}
		for i := range a.items {
			if ok, err := m.equal(a.items[i], b.items[i], depth+1); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	case *dict:
		b, ok := b.(*dict)
		if !ok || len(a.keys) != len(b.keys) {
			return false, nil
		}
		for _, key := range a.keys {
			v, ok := b.get(key)
			if !ok {
				return false, nil
			}
			if ok, err := m.equal(a.at(key), v, depth+1); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	}
	return a == b, nil
}

// less is Python's < for values that have an order.
func (m *machine) less(a, b any, op string, depth int) (bool, error) {
	_, f, _, ok := number(a)
	_, g, _, ok2 := number(b)
	if i, isInt := a.(int64); isInt {
		if j, isInt := b.(int64); isInt {
			return i < j, nil
		}
	}
	if ok && ok2 {
		return f < g, nil
	}
	if s, ok := a.(text); ok {
		if t, ok := b.(text); ok {
			return s.s < t.s, m.step(min(len(s.s), len(t.s)))
		}
	}
	if s, ok := a.(*list); ok && depth < maxDepth {
		if t, ok := b.(*list); ok && s.tuple == t.tuple {
			for i := 0; i < min(len(s.items), len(t.items)); i++ {
				same, err := m.equal(s.items[i], t.items[i], depth+1)
				if err != nil {
					return false, err
				}
				if !same {
					return m.less(s.items[i], t.items[i], op, depth+1)
				}
			}
			return len(s.items) < len(t.items), nil
		}
	}
	if u, ok := a.(*undefined); ok {
		return false, u.error()
	}
	if u, ok := b.(*undefined); ok {
		return false, u.error()
	}
	return false, fmt.Errorf("'%s' not supported between instances of '%s' and '%s'", op, typeName(a), typeName(b))
}

func (u *undefined) error() error { return fmt.Errorf("%s", u.what) }
