package chat

import (
	"fmt"
	"maps"
	"strings"
	"unicode"
)

type test func(m *machine, v any, a args) (bool, error)

var tests map[string]test

func init() {
	tests = kindTests()
	maps.Copy(tests, valueTests())
	addComparisons()
}

// kindTests ask what kind of value it is.
func kindTests() map[string]test {
	return map[string]test{
		"defined":   kind(func(v any) bool { _, ok := v.(*undefined); return !ok }),
		"undefined": kind(func(v any) bool { _, ok := v.(*undefined); return ok }),
		"none":      kind(func(v any) bool { return v == nil }),
		"boolean":   kind(func(v any) bool { _, ok := v.(bool); return ok }),
		"true":      kind(func(v any) bool { return v == true }),
		"false":     kind(func(v any) bool { return v == false }),
		"integer":   kind(func(v any) bool { _, ok := v.(int64); return ok }),
		"float":     kind(func(v any) bool { _, ok := v.(float64); return ok }),
		"number":    kind(func(v any) bool { _, _, _, ok := number(v); return ok }),
		"string":    kind(func(v any) bool { _, ok := v.(text); return ok }),
		"mapping":   kind(func(v any) bool { _, ok := v.(*dict); return ok }),
		"callable": kind(func(v any) bool {
			switch v.(type) {
			case *native, *macro, *loop, *undefined:
				return true
			}
			return false
		}),
		"sequence": kind(func(v any) bool {
			switch v := v.(type) {
			case *list:
				return v.view == ""
			case text, *dict, *numbers, *undefined:
				return true
			}
			return false
		}),
		"iterable": kind(func(v any) bool {
			switch v.(type) {
			case text, *list, *dict, *numbers, *undefined, *loop, *iterator:
				return true
			}
			return false
		}),
	}
}

// valueTests ask about the value.
func valueTests() map[string]test {
	return map[string]test{
		"escaped": kind(func(any) bool { return false }),
		"lower":   onText(func(s string) bool { return caseIs(s, unicode.IsLower, unicode.IsUpper) }),
		"upper":   onText(func(s string) bool { return caseIs(s, unicode.IsUpper, unicode.IsLower) }),
		"even":    modulo(2, 0), "odd": modulo(2, 1),
		"divisibleby": func(m *machine, v any, a args) (bool, error) {
			r := newReader("divisibleby", a)
			n := r.any("num")
			if err := r.done(); err != nil {
				return false, err
			}
			rest, err := m.arithmetic("%", v, n)
			return err == nil && !truth(rest), err
		},
		"sameas": func(m *machine, v any, a args) (bool, error) {
			r := newReader("sameas", a)
			other := r.any("other")
			if err := r.done(); err != nil || typeName(v) != typeName(other) {
				return false, err
			}
			return m.equal(v, other, 0)
		},
		"in": func(m *machine, v any, a args) (bool, error) {
			r := newReader("in", a)
			where := r.any("seq")
			if err := r.done(); err != nil {
				return false, err
			}
			return m.contains(where, v)
		},
		"filter": onText(func(s string) bool { return filters[s] != nil }),
		"test":   onText(func(s string) bool { return tests[s] != nil }),
	}
}

// addComparisons adds the tests that are operators, with all their names.
func addComparisons() {
	for op, names := range map[string]string{
		"==": "== eq equalto", "!=": "!= ne", "<": "< lt lessthan", "<=": "<= le", ">": "> gt greaterthan", ">=": ">= ge",
	} {
		for _, name := range strings.Fields(names) {
			tests[name] = func(m *machine, v any, a args) (bool, error) {
				r := newReader(name, a)
				other := r.any("other")
				if err := r.done(); err != nil {
					return false, err
				}
				return m.compare(op, v, other)
			}
		}
	}
}

func kind(is func(v any) bool) test {
	return func(_ *machine, v any, a args) (bool, error) { return is(v), newReader("the test", a).done() }
}

func onText(is func(s string) bool) test {
	return func(m *machine, v any, a args) (bool, error) {
		t, err := m.str(v)
		if err != nil {
			return false, err
		}
		return is(t.s), newReader("the test", a).done()
	}
}

func caseIs(s string, is, other func(rune) bool) bool {
	return strings.IndexFunc(s, is) >= 0 && strings.IndexFunc(s, other) < 0
}

func modulo(n, rest int64) test {
	return func(m *machine, v any, a args) (bool, error) {
		if _, _, _, ok := number(v); !ok {
			return false, fmt.Errorf("not all arguments converted during string formatting")
		}
		got, err := m.arithmetic("%", v, n)
		if err != nil {
			return false, err
		}
		same, err := m.equal(got, rest, 0)
		return same, err
	}
}
