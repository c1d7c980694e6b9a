package chat

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mmrun/mmrun/tokenizer"
)

// text is a string of which some parts came with the messages, not with the template. Every operation
// keeps track of them, so that no name of a special token in a message is ever taken for the token.
type text struct {
	s     string
	spans []tokenizer.Span // of the messages, in order and apart
}

// foreign is a string of the messages.
func foreign(s string) text {
	if s == "" {
		return text{}
	}
	return text{s, []tokenizer.Span{{From: 0, To: len(s)}}}
}

// cut is the part from one byte up to another.
func (t text) cut(from, to int) text {
	out := text{s: t.s[from:to]}
	first, _ := slices.BinarySearchFunc(t.spans, from, func(s tokenizer.Span, from int) int {
		if s.To <= from {
			return -1
		}
		return 1
	})
	for _, s := range t.spans[first:] {
		if s.From >= to {
			break
		}
		s.From, s.To = max(s.From, from)-from, min(s.To, to)-from
		if s.From < s.To {
			out.spans = append(out.spans, s)
		}
	}
	return out
}

// part is the part from one character up to another, of which there are that many.
func (t text) part(from, to int64) text {
	at := func(i, n int) int {
		for ; n > 0; n-- {
			_, size := utf8.DecodeRuneInString(t.s[i:])
			i += size
		}
		return i
	}
	start := at(0, int(from))
	return t.cut(start, at(start, int(max(to-from, 0))))
}

// isForeign reports whether any of it came with the messages.
func (t text) isForeign() bool { return len(t.spans) > 0 }

// like marks s as a whole if any of t came with the messages; for operations that keep no places.
func (t text) like(s string) text {
	if t.isForeign() {
		return foreign(s)
	}
	return text{s: s}
}

// builder joins texts.
type builder struct {
	b     strings.Builder
	spans []tokenizer.Span
}

func (b *builder) add(t text) {
	at := b.b.Len()
	b.b.WriteString(t.s)
	for _, s := range t.spans {
		b.mark(at+s.From, at+s.To)
	}
}

func (b *builder) mark(from, to int) {
	if n := len(b.spans); n > 0 && b.spans[n-1].To == from {
		b.spans[n-1].To = to
		return
	}
	b.spans = append(b.spans, tokenizer.Span{From: from, To: to})
}

// own adds a string of the template.
func (b *builder) own(s string) { b.b.WriteString(s) }

func (b *builder) text() text { return text{b.b.String(), b.spans} }

func join(parts ...text) text {
	var b builder
	for _, p := range parts {
		b.add(p)
	}
	return b.text()
}

// mapRunes replaces every character by what f makes of it; before is the one in front of it.
func (t text) mapRunes(f func(before, r rune) string) text {
	var b builder
	before := rune(-1)
	next := 0
	for i, r := range t.s {
		for next < len(t.spans) && t.spans[next].To <= i {
			next++
		}
		at := b.b.Len()
		b.b.WriteString(f(before, r))
		if next < len(t.spans) && t.spans[next].From <= i && b.b.Len() > at {
			b.mark(at, b.b.Len())
		}
		before = r
	}
	return b.text()
}

// trim takes characters off the ends for which is holds.
func (t text) trim(left, right bool, is func(rune) bool) text {
	from, to := 0, len(t.s)
	if left {
		from = to - len(strings.TrimLeftFunc(t.s, is))
	}
	if right {
		to = from + len(strings.TrimRightFunc(t.s[from:], is))
	}
	return t.cut(from, to)
}

// replace replaces the first count of old by new, all of them when count is negative. Nothing as old
// stands in front of every character and at the end.
func (t text) replace(old, new text, count int) text {
	if old.s == "" {
		return t.between(new, count)
	}
	var b builder
	at := 0
	for ; count != 0; count-- {
		i := strings.Index(t.s[at:], old.s)
		if i < 0 {
			break
		}
		b.add(t.cut(at, at+i))
		b.add(new)
		at += i + len(old.s)
	}
	b.add(t.cut(at, len(t.s)))
	return b.text()
}

func (t text) between(new text, count int) text {
	var b builder
	for _, c := range append(t.runes(), text{}) {
		if count != 0 {
			b.add(new)
			count--
		}
		b.add(c)
	}
	return b.text()
}

// split parts at sep, count times at most when count is not negative.
func (t text) split(sep string, count int) []text {
	var out []text
	at := 0
	for ; count != 0; count-- {
		i := strings.Index(t.s[at:], sep)
		if i < 0 {
			break
		}
		out = append(out, t.cut(at, at+i))
		at += i + len(sep)
	}
	return append(out, t.cut(at, len(t.s)))
}

// rsplit is split from the end.
func (t text) rsplit(sep string, count int) []text {
	var out []text
	to := len(t.s)
	for ; count != 0; count-- {
		i := strings.LastIndex(t.s[:to], sep)
		if i < 0 {
			break
		}
		out = append(out, t.cut(i+len(sep), to))
		to = i
	}
	out = append(out, t.cut(0, to))
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// fields parts at white space, count times at most when count is not negative.
func (t text) fields(count int) []text {
	var out []text
	rest := t.trim(true, false, isSpace)
	for rest.s != "" {
		i := strings.IndexFunc(rest.s, isSpace)
		if i < 0 || count == 0 {
			return append(out, rest)
		}
		out = append(out, rest.cut(0, i))
		rest = rest.cut(i, len(rest.s)).trim(true, false, isSpace)
		count--
	}
	return out
}

// rfields is fields from the end.
func (t text) rfields(count int) []text {
	var out []text
	rest := t.trim(false, true, isSpace)
	for rest.s != "" {
		i := strings.LastIndexFunc(rest.s, isSpace)
		if i < 0 || count == 0 {
			out = append(out, rest)
			break
		}
		_, n := utf8.DecodeRuneInString(rest.s[i:])
		out = append(out, rest.cut(i+n, len(rest.s)))
		rest = rest.cut(0, i+n).trim(false, true, isSpace)
		count--
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// runes are the characters, each with its marks.
func (t text) runes() []text {
	out := make([]text, 0, len(t.s))
	next := 0
	for i := 0; i < len(t.s); {
		_, n := utf8.DecodeRuneInString(t.s[i:])
		for next < len(t.spans) && t.spans[next].To <= i {
			next++
		}
		c := text{s: t.s[i : i+n]}
		if next < len(t.spans) && t.spans[next].From <= i {
			c = foreign(c.s)
		}
		out = append(out, c)
		i += n
	}
	return out
}
