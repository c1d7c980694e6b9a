package tokenizer

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// stage is one step from tokens to text. It sees tokens one by one, as the vocabulary writes them or as
// the stage before it left them.
type stage interface {
	push(s string, literal bool, out func(string)) // literal: an added token, which stands for itself
	flush(out func(string))                        // the text ends
}

// maker makes a stage: for a text's beginning, or for text that goes on after other text.
type maker func(continues bool) stage

// chain is a row of stages.
type chain []stage

// push sends a token through stage number i and those after it.
func (c chain) push(i int, s string, literal bool, out func(string)) {
	if i == len(c) {
		out(s)
		return
	}
	c[i].push(s, literal, func(s string) { c.push(i+1, s, literal, out) })
}

// flush ends the text.
func (c chain) flush(out func(string)) {
	for i, s := range c {
		s.flush(func(s string) { c.push(i+1, s, false, out) })
	}
}

// byteLevelStage reads the alphabet of bytes.
type byteLevelStage struct{ held []byte }

func (b *byteLevelStage) push(s string, literal bool, out func(string)) {
	if bytes, ok := fromAlphabet(s); ok && !literal {
		s = bytes
	}
	b.held = append(b.held, s...)
	if text := b.take(); text != "" {
		out(text)
	}
}

func (b *byteLevelStage) flush(out func(string)) {
	if len(b.held) > 0 {
		b.held = b.held[:0]
		out(string(utf8.RuneError))
	}
}

// take removes from held, and returns as text, all but a begun character at the end.
func (b *byteLevelStage) take() string {
	var text []byte
	rest := b.held
	for len(rest) > 0 && utf8.FullRune(rest) {
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError && n == 1 {
			n = brokenPrefix(rest)
		}
		text = utf8.AppendRune(text, r)
		rest = rest[n:]
	}
	b.held = append(b.held[:0], rest...)
	return string(text)
}

// brokenPrefix returns how many bytes of p, which does not begin with a character, could have
// begun one before the byte that broke it.
func brokenPrefix(p []byte) int {
	n := 1
	for n < len(p) && !utf8.FullRune(p[:n+1]) {
		n++
	}
	return n
}

// byteFallbackStage makes text of tokens that stand for bytes, such as "<0xE5>". A row of them that is
// not UTF-8 as a whole is U+FFFD for each; as soon as that is sure, nothing is held back.
type byteFallbackStage struct {
	held   []byte
	broken bool
}

func (b *byteFallbackStage) push(s string, literal bool, out func(string)) {
	value, ok := byteToken(s)
	if !ok || literal {
		b.flush(out)
		out(s)
		return
	}
	b.held = append(b.held, value)
	if b.broken || !beginsUTF8(b.held) {
		b.broken = true
		b.giveUp(out)
	}
}

func (b *byteFallbackStage) flush(out func(string)) {
	switch {
	case len(b.held) == 0:
	case utf8.Valid(b.held):
		out(string(b.held))
		b.held = b.held[:0]
	default:
		b.giveUp(out)
	}
	b.broken = false
}

func (b *byteFallbackStage) giveUp(out func(string)) {
	for range b.held {
		out(string(utf8.RuneError))
	}
	b.held = b.held[:0]
}

// beginsUTF8 reports whether b is UTF-8 or can become so with more bytes.
func beginsUTF8(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			return !utf8.FullRune(b)
		}
		b = b[n:]
	}
	return true
}

// byteToken returns the byte that a token such as "<0xE5>" stands for.
func byteToken(s string) (byte, bool) {
	if len(s) != 6 || !strings.HasPrefix(s, "<0x") || s[5] != '>' {
		return 0, false
	}
	value, err := strconv.ParseUint(s[3:5], 16, 8)
	return byte(value), err == nil
}

// replaceStage replaces a string in every token.
type replaceStage struct{ what, with string }

func (r *replaceStage) push(s string, _ bool, out func(string)) {
	out(strings.ReplaceAll(s, r.what, r.with))
}
func (r *replaceStage) flush(func(string)) {}

// replaceAllStage replaces the matches of a pattern: in every token, or in the text as a whole, which
// then comes at its end.
type replaceAllStage struct {
	re    *regexp2.Regexp
	with  string
	fused bool
	text  strings.Builder
}

func (r *replaceAllStage) push(s string, _ bool, out func(string)) {
	if r.fused {
		r.text.WriteString(s)
		return
	}
	out(r.replace(s))
}

func (r *replaceAllStage) flush(out func(string)) {
	if r.text.Len() > 0 {
		out(r.replace(r.text.String()))
		r.text.Reset()
	}
}

func (r *replaceAllStage) replace(s string) string {
	p, err := replacePattern(r.re, r.with)(piece{text: s})
	if err != nil {
		return s // the pattern took too long
	}
	return p.text
}

// stripStage takes a character off the ends of every token, or of the text as a whole.
type stripStage struct {
	content     rune
	start, stop int
	fused       bool
	cut         int // at the start so far; start when something else came
	held        int // of the character, which may be the end
}

func (s *stripStage) push(text string, _ bool, out func(string)) {
	if !s.fused {
		s.cut = 0
	}
	for s.cut < s.start && text != "" {
		rest, ok := strings.CutPrefix(text, string(s.content))
		if !ok {
			s.cut = s.start
			break
		}
		text = rest
		s.cut++
	}
	var keep strings.Builder
	for _, r := range text {
		switch {
		case r != s.content:
			keep.WriteString(strings.Repeat(string(s.content), s.held))
			s.held = 0
			keep.WriteRune(r)
		case s.held < s.stop:
			s.held++
		default:
			keep.WriteRune(r)
		}
	}
	if !s.fused {
		s.held = 0
	}
	if keep.Len() > 0 || !s.fused {
		out(keep.String())
	}
}

func (s *stripStage) flush(func(string)) { s.held = 0 }

// metaspaceStage makes spaces of marks, but none of those of the first token when one was put there.
type metaspaceStage struct {
	mark  string
	first bool // the next token is the first, and marks in it go
}

func (m *metaspaceStage) push(s string, _ bool, out func(string)) {
	with := " "
	if m.first {
		with = ""
	}
	m.first = false
	out(strings.ReplaceAll(s, m.mark, with))
}
func (m *metaspaceStage) flush(func(string)) {}

// joinStage puts spaces between tokens, which is what a file without a decoder means.
type joinStage struct{ started bool }

func (j *joinStage) push(s string, _ bool, out func(string)) {
	if j.started {
		s = " " + s
	}
	j.started = true
	out(s)
}
func (j *joinStage) flush(func(string)) {}
