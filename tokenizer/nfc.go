package tokenizer

import (
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxMarks is the number of marks in a row up to which the norm package is sure to apply no stream-safe
// treatment: that begins after 30 non-starters, and a mark decomposes into at most three.
const maxMarks = 10

// unicodeForm returns the function that brings a text into one of Unicode's normal forms. The norm
// package breaks long runs of marks with a U+034F that Unicode's forms do not have, so text with such
// runs is worked out here.
func unicodeForm(form norm.Form) func(string) string {
	return func(s string) string {
		if longestRunOfMarks(s) <= maxMarks {
			return form.String(s)
		}
		switch form {
		case norm.NFC:
			return compose(decompose(s, norm.NFD))
		case norm.NFKC:
			return compose(decompose(s, norm.NFKD))
		}
		marks := decompose(s, form)
		out := make([]rune, len(marks))
		for i, m := range marks {
			out[i] = m.r
		}
		return string(out)
	}
}

// longestRunOfMarks counts the runes in a row that may combine with what stands before them.
func longestRunOfMarks(s string) int {
	run, longest := 0, 0
	for i, r := range s {
		if r < utf8.RuneSelf || norm.NFKC.PropertiesString(s[i:]).BoundaryBefore() {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// mark is a rune with its canonical combining class.
type mark struct {
	r     rune
	class uint8
}

// decompose returns the decomposition of s in canonical order; form is NFD or NFKD.
func decompose(s string, form norm.Form) []mark {
	out := make([]mark, 0, len(s))
	for _, r := range s {
		for _, d := range form.String(string(r)) {
			out = append(out, mark{d, norm.NFD.PropertiesString(string(d)).CCC()})
		}
	}
	for i := 0; i < len(out); i++ {
		end := i
		for end < len(out) && out[end].class != 0 {
			end++
		}
		slices.SortStableFunc(out[i:end], func(a, b mark) int { return int(a.class) - int(b.class) })
		i = end
	}
	return out
}

// compose is the canonical composition algorithm: a rune joins the last starter unless a rune
// between them has a class as high as its own.
func compose(in []mark) string {
	out := make([]rune, 0, len(in))
	starter, last := -1, -1
	for _, m := range in {
		if starter >= 0 && last < int(m.class) {
			if c, ok := composite(out[starter], m.r); ok {
				out[starter] = c
				continue
			}
		}
		last = int(m.class)
		if m.class == 0 {
			starter, last = len(out), -1
		}
		out = append(out, m.r)
	}
	return string(out)
}

// composite returns the rune that a and b compose to.
func composite(a, b rune) (rune, bool) {
	s := norm.NFC.String(string(a) + string(b))
	r, n := utf8.DecodeRuneInString(s)
	return r, n == len(s)
}
