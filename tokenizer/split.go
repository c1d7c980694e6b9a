package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// step cuts a piece of text into smaller pieces, in order. Steps in a row cut ever smaller pieces,
// down to the words that the model encodes.
type step func(p piece, yield func(piece) error) error

// run sends a piece through the steps and the results to yield.
func run(steps []step, p piece, yield func(piece) error) error {
	if p.text == "" {
		return nil
	}
	if len(steps) == 0 {
		return yield(p)
	}
	return steps[0](p, func(p piece) error { return run(steps[1:], p, yield) })
}

// part is the piece from one byte of p to another.
func (p piece) part(from, to int) piece {
	p.text = p.text[from:to]
	if from > 0 {
		p.place = inside
	}
	return p
}

// byteLevel is the pre-tokenizer ByteLevel without the change to the alphabet.
func byteLevel(prefix, regex bool) step {
	return func(p piece, yield func(piece) error) error {
		if prefix && p.text[0] != ' ' && p.place != joined {
			p.text = " " + p.text
		}
		if !regex {
			return yield(p)
		}
		for at := 0; at < len(p.text); {
			n := wordLen(p.text[at:])
			if err := yield(p.part(at, at+n)); err != nil {
				return err
			}
			at += n
		}
		return nil
	}
}

// wordLen returns the length of the match of GPT-2's pattern at the start of s:
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// Go's regexp has no lookahead, and the pattern is fixed, so it is written out; the tests hold it
// against a regular expression engine.
func wordLen(s string) int {
	if s[0] == '\'' {
		for _, suffix := range [...]string{"s", "t", "re", "ve", "m", "ll", "d"} {
			if strings.HasPrefix(s[1:], suffix) {
				return 1 + len(suffix)
			}
		}
	}
	r, n := utf8.DecodeRuneInString(s)
	if r == ' ' && len(s) > 1 {
		r, n = utf8.DecodeRuneInString(s[1:])
		n++
	}
	class := classOf(r)
	if class == space {
		return spaceLen(s)
	}
	for n < len(s) {
		r, size := utf8.DecodeRuneInString(s[n:])
		if classOf(r) != class {
			break
		}
		n += size
	}
	return n
}

// spaceLen is wordLen for white space that is no word's own: all of it at the end of the text,
// else all but the last character, which is left to the next word or stands alone.
func spaceLen(s string) int {
	last := 0
	for i, r := range s {
		if !unicode.IsSpace(r) {
			if last == 0 {
				return i
			}
			return last
		}
		last = i
	}
	return len(s)
}

type class uint8

const (
	other class = iota
	letter
	number
	space
)

func classOf(r rune) class {
	switch {
	case 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z':
		return letter
	case unicode.IsSpace(r):
		return space
	case unicode.IsLetter(r):
		return letter
	case unicode.IsNumber(r):
		return number
	}
	return other
}
