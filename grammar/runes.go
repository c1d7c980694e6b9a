package grammar

import (
	"slices"
	"unicode/utf8"
)

// runeRange are the characters from lo to hi.
type runeRange struct{ lo, hi rune }

// runeSet are ranges in order, which neither overlap nor touch.
type runeSet []runeRange

// anyRune is every character.
var anyRune = runeSet{{0, utf8.MaxRune}}

// newSet puts ranges in order.
func newSet(ranges ...runeRange) runeSet {
	ranges = slices.DeleteFunc(slices.Clone(ranges), func(r runeRange) bool { return r.lo > r.hi })
	slices.SortFunc(ranges, func(a, b runeRange) int { return int(a.lo) - int(b.lo) })
	var set runeSet
	for _, r := range ranges {
		if n := len(set); n > 0 && r.lo <= set[n-1].hi+1 {
			set[n-1].hi = max(set[n-1].hi, r.hi)
			continue
		}
		set = append(set, r)
	}
	return set
}

// of are the characters of a string.
func of(s string) runeSet {
	var ranges []runeRange
	for _, r := range s {
		ranges = append(ranges, runeRange{r, r})
	}
	return newSet(ranges...)
}

// not are the characters that are not in the set.
func (s runeSet) not() runeSet {
	var out runeSet
	from := rune(0)
	for _, r := range s {
		if from < r.lo {
			out = append(out, runeRange{from, r.lo - 1})
		}
		from = r.hi + 1
	}
	if from <= utf8.MaxRune {
		out = append(out, runeRange{from, utf8.MaxRune})
	}
	return out
}

// and are the characters that are in both sets.
func (s runeSet) and(t runeSet) runeSet {
	var out runeSet
	for i, j := 0, 0; i < len(s) && j < len(t); {
		if lo, hi := max(s[i].lo, t[j].lo), min(s[i].hi, t[j].hi); lo <= hi {
			out = append(out, runeRange{lo, hi})
		}
		if s[i].hi < t[j].hi {
			i++
		} else {
			j++
		}
	}
	return out
}

// has says whether a character is in the set.
func (s runeSet) has(r rune) bool {
	_, ok := slices.BinarySearchFunc(s, r, func(x runeRange, r rune) int {
		switch {
		case x.hi < r:
			return -1
		case x.lo > r:
			return 1
		}
		return 0
	})
	return ok
}

// byteRange are the bytes from lo to hi.
type byteRange struct{ lo, hi byte }

// utf8Ranges calls add for rows of byte ranges that together are the UTF-8 of the characters from lo to hi.
func utf8Ranges(lo, hi rune, add func([]byteRange)) {
	if lo > hi {
		return
	}
	// Surrogates have no UTF-8, and the lengths differ beyond these.
	for _, border := range []rune{0x7F, 0x7FF, 0xD7FF, 0xDFFF, 0xFFFF} {
		if lo <= border && border < hi {
			utf8Ranges(lo, border, add)
			utf8Ranges(border+1, hi, add)
			return
		}
	}
	if 0xD800 <= lo && hi <= 0xDFFF {
		return
	}
	n := utf8.RuneLen(lo)
	// Where some bytes from the end on run from the lowest to the highest, they stand for themselves; otherwise the
	// range is cut there.
	for i := 1; i < n; i++ {
		low := rune(1)<<(6*i) - 1
		if lo&^low == hi&^low {
			continue
		}
		if lo&low != 0 {
			utf8Ranges(lo, lo|low, add)
			utf8Ranges(lo|low+1, hi, add)
			return
		}
		if hi&low != low {
			utf8Ranges(lo, hi&^low-1, add)
			utf8Ranges(hi&^low, hi, add)
			return
		}
	}
	var a, b [utf8.UTFMax]byte
	utf8.EncodeRune(a[:], lo)
	utf8.EncodeRune(b[:], hi)
	row := make([]byteRange, n)
	for i := range row {
		row[i] = byteRange{a[i], b[i]}
	}
	add(row)
}
