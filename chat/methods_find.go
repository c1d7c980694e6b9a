package chat

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// findingMethods look for a string in another, from a place to a place, in characters.
func findingMethods() map[string]textMethod {
	return map[string]textMethod{
		"find":   finding(strings.Index, false),
		"rfind":  finding(strings.LastIndex, false),
		"index":  finding(strings.Index, true),
		"rindex": finding(strings.LastIndex, true),
		"count": func(_ *machine, t text, r *reader) (any, error) {
			sub := r.text("sub", text{})
			within, _, ok := r.within(t)
			if !ok {
				return int64(0), nil
			}
			return int64(strings.Count(within.s, sub.s)), nil
		},
		"partition":  partition(strings.Index, false),
		"rpartition": partition(strings.LastIndex, true),
	}
}

// finding is where a part of a string begins, in characters; -1 or an error when it is not there.
func finding(index func(s, part string) int, must bool) textMethod {
	return func(_ *machine, t text, r *reader) (any, error) {
		sub := r.text("sub", text{})
		within, from, ok := r.within(t)
		i := -1
		if ok {
			i = index(within.s, sub.s)
		}
		if i < 0 && must {
			return nil, errors.New("substring not found")
		}
		if i < 0 {
			return int64(-1), nil
		}
		return from + int64(utf8.RuneCountInString(within.s[:i])), nil
	}
}

// within is the part of a string that the next two arguments name, and where it begins; ok is false where there is
// none.
func (r *reader) within(t text) (part text, from int64, ok bool) {
	if len(r.pos) < 2 {
		return t, 0, true
	}
	n := utf8.RuneCountInString(t.s)
	start := r.int("start", 0)
	bounds := [3]*int64{&start}
	if len(r.pos) > 2 {
		end := r.int("end", int64(n))
		bounds[1] = &end
	}
	if start > int64(n) {
		return text{}, 0, false
	}
	from, to := span(bounds, n)
	if to < from {
		return text{}, 0, false
	}
	return t.part(from, to), from, true
}

// partition cuts a string at its first or last separator; without one the whole is the first or, from the right, the
// last of the three.
func partition(index func(s, part string) int, right bool) textMethod {
	return func(_ *machine, t text, r *reader) (any, error) {
		sep := r.text("sep", text{})
		if sep.s == "" {
			return nil, errors.New("empty separator")
		}
		parts := []text{t, {}, {}}
		if i := index(t.s, sep.s); i >= 0 {
			parts = []text{t.cut(0, i), t.cut(i, i+len(sep.s)), t.cut(i+len(sep.s), len(t.s))}
		} else if right {
			parts = []text{{}, {}, t}
		}
		out := texts(parts)
		out.tuple = true
		return out, nil
	}
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// isTitle reports whether upper case begins every word and stands nowhere else.
func isTitle(s string) bool {
	found, before := false, false
	for _, r := range s {
		upper, lower := unicode.IsUpper(r) || unicode.IsTitle(r), unicode.IsLower(r)
		if upper == before && (upper || lower) {
			return false
		}
		found = found || upper || lower
		before = upper || lower
	}
	return found
}
