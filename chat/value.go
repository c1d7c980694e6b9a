package chat

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// A value is nil (None), bool, int64, float64, text, or a pointer to one of the kinds below.
type (
	undefined struct{ what string } // what is missing, for errors
	list      struct {
		items []any
		tuple bool
	}
	dict struct {
		keys   []any
		values map[string]any
	}
	namespace struct{ vars map[string]any }
	numbers   struct{ from, step, n int64 } // range()
	// native is a function of Go.
	native struct {
		name string
		call func(m *machine, a args) (any, error)
	}
	macro struct {
		def   *macroDef
		scope *scope
	}
)

// args are the values that a function is called with.
type args struct {
	pos   []any
	names []string
	named []any
}

func newDict() *dict { return &dict{values: map[string]any{}} }

func (d *dict) set(key, value any) error {
	k, err := keyOf(key, 0)
	if err != nil {
		return err
	}
	if _, ok := d.values[k]; !ok {
		d.keys = append(d.keys, key)
	}
	d.values[k] = value
	return nil
}

func (d *dict) get(key any) (any, bool) {
	k, err := keyOf(key, 0)
	if err != nil {
		return nil, false
	}
	v, ok := d.values[k]
	return v, ok
}

// at is the value of a key that there is.
func (d *dict) at(key any) any {
	v, _ := d.get(key)
	return v
}

// keyOf makes equal keys of equal values.
func keyOf(v any, depth int) (string, error) {
	switch v := v.(type) {
	case nil:
		return "none", nil
	case bool:
		if v {
			return "n1", nil
		}
		return "n0", nil
	case int64:
		return "n" + strconv.FormatInt(v, 10), nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<62 {
			return "n" + strconv.FormatInt(int64(v), 10), nil
		}
		return "f" + strconv.FormatFloat(v, 'g', -1, 64), nil
	case text:
		return "s" + v.s, nil
	case *list:
		if !v.tuple || depth > maxDepth {
			break
		}
		var b strings.Builder
		b.WriteString("t")
		for _, item := range v.items {
			k, err := keyOf(item, depth+1)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&b, "%d:%s", len(k), k)
		}
		return b.String(), nil
	case *undefined, *native, *macro, *namespace, *numbers:
		return fmt.Sprintf("p%p", v), nil
	}
	return "", fmt.Errorf("unhashable type: '%s'", typeName(v))
}

// typeName is Python's name of a value's type.
func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case text:
		return "str"
	case *list:
		if v.tuple {
			return "tuple"
		}
		return "list"
	case *dict:
		return "dict"
	case *undefined:
		return "Undefined"
	case *namespace:
		return "Namespace"
	case *numbers:
		return "range"
	case *loop:
		return "LoopContext"
	case *macro:
		return "Macro"
	}
	return "function"
}

// truth is what "if" makes of a value.
func truth(v any) bool {
	switch v := v.(type) {
	case nil, *undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case text:
		return v.s != ""
	case *list:
		return len(v.items) > 0
	case *dict:
		return len(v.keys) > 0
	case *numbers:
		return v.n > 0
	}
	return true
}

// str is what a value prints as.
func (m *machine) str(v any) (text, error) {
	if t, ok := v.(text); ok {
		return t, nil
	}
	if _, ok := v.(*undefined); ok {
		return text{}, nil
	}
	var b builder
	err := m.repr(&b, v, 0)
	return b.text(), err
}

// repr writes a value as Python shows it inside a list.
func (m *machine) repr(b *builder, v any, depth int) error {
	if err := m.step(b.b.Len()); err != nil {
		return err
	}
	if depth > maxDepth {
		return fmt.Errorf("values inside one another more than %d deep", maxDepth)
	}
	switch v := v.(type) {
	case nil:
		b.own("None")
	case bool:
		b.own(map[bool]string{true: "True", false: "False"}[v])
	case int64:
		b.own(strconv.FormatInt(v, 10))
	case float64:
		b.own(reprFloat(v))
	case text:
		reprText(b, v)
	case *undefined:
		b.own("Undefined")
	case *list:
		return m.reprList(b, v, depth)
	case *dict:
		b.own("{")
		for i, key := range v.keys {
			if i > 0 {
				b.own(", ")
			}
			if err := m.repr(b, key, depth+1); err != nil {
				return err
			}
			b.own(": ")
			if err := m.repr(b, v.at(key), depth+1); err != nil {
				return err
			}
		}
		b.own("}")
	case *numbers:
		b.own(fmt.Sprintf("range(%d, %d", v.from, v.from+v.n*v.step))
		if v.step != 1 {
			b.own(fmt.Sprintf(", %d", v.step))
		}
		b.own(")")
	default:
		b.own("<" + typeName(v) + ">")
	}
	return nil
}

func (m *machine) reprList(b *builder, v *list, depth int) error {
	open, end := "[", "]"
	if v.tuple {
		open, end = "(", ")"
		if len(v.items) == 1 {
			end = ",)"
		}
	}
	b.own(open)
	for i, item := range v.items {
		if i > 0 {
			b.own(", ")
		}
		if err := m.repr(b, item, depth+1); err != nil {
			return err
		}
	}
	b.own(end)
	return nil
}

// reprFloat writes a number as Python does: with a point or an exponent, never without both.
func reprFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	exp, _ := strconv.Atoi(s[strings.IndexByte(s, 'e')+1:])
	if exp < -4 || exp >= 16 {
		return s
	}
	s = strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.ContainsRune(s, '.') {
		s += ".0"
	}
	return s
}

// reprText writes a string in quotes.
func reprText(b *builder, t text) {
	quote := '\''
	if strings.ContainsRune(t.s, '\'') && !strings.ContainsRune(t.s, '"') {
		quote = '"'
	}
	b.own(string(quote))
	b.add(t.mapRunes(func(_, r rune) string {
		switch {
		case r == quote || r == '\\':
			return `\` + string(r)
		case r == '\n':
			return `\n`
		case r == '\r':
			return `\r`
		case r == '\t':
			return `\t`
		case unicode.IsPrint(r):
			return string(r)
		case r < 0x100:
			return fmt.Sprintf(`\x%02x`, r)
		case r < 0x10000:
			return fmt.Sprintf(`\u%04x`, r)
		}
		return fmt.Sprintf(`\U%08x`, r)
	}))
	b.own(string(quote))
}

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
		if !ok || a.tuple != b.tuple || len(a.items) != len(b.items) {
			return false, nil
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
