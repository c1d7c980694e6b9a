package tokenizer

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// step cuts a piece of text, which is not empty, into smaller pieces, in order. Steps in a row
// cut ever smaller pieces, down to the words that the model encodes.
type step func(piece string, yield func(string) error) error

// run sends a piece through the steps and the results to yield.
func run(steps []step, piece string, yield func(string) error) error {
	if piece == "" {
		return nil
	}
	if len(steps) == 0 {
		return yield(piece)
	}
	return steps[0](piece, func(p string) error { return run(steps[1:], p, yield) })
}

// byteLevel is the pre-tokenizer ByteLevel without the change to the alphabet.
func byteLevel(prefix, regex bool) step {
	return func(piece string, yield func(string) error) error {
		if prefix && piece[0] != ' ' {
			piece = " " + piece
		}
		if !regex {
			return yield(piece)
		}
		for len(piece) > 0 {
			n := wordLen(piece)
			if err := yield(piece[:n]); err != nil {
				return err
			}
			piece = piece[n:]
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

// cut is a part of a piece: one that a pattern hit or one between hits.
type cut struct {
	from, to int // bytes
	hit      bool
}

// behavior says what becomes of the parts that a pattern hit.
type behavior string

const (
	removed            behavior = "Removed"
	isolated           behavior = "Isolated"
	contiguous         behavior = "Contiguous"
	mergedWithPrevious behavior = "MergedWithPrevious"
	mergedWithNext     behavior = "MergedWithNext"
)

func (b behavior) valid() bool {
	switch b {
	case removed, isolated, contiguous, mergedWithPrevious, mergedWithNext:
		return true
	}
	return false
}

// joins reports whether neighbours become one part.
func (b behavior) joins(left, right cut) bool {
	switch b {
	case contiguous:
		return left.hit == right.hit
	case mergedWithPrevious:
		return right.hit && !left.hit
	case mergedWithNext:
		return left.hit && !right.hit
	}
	return false
}

// cutting is the step that cuts pieces where find says.
func cutting(find func(string) ([]cut, error), b behavior) step {
	return func(piece string, yield func(string) error) error {
		cuts, err := find(piece)
		if err != nil {
			return err
		}
		for i := 0; i < len(cuts); i++ {
			from, to := cuts[i].from, cuts[i].to
			for ; i+1 < len(cuts) && b.joins(cuts[i], cuts[i+1]); i++ {
				to = cuts[i+1].to
			}
			if from == to || b == removed && cuts[i].hit {
				continue
			}
			if err := yield(piece[from:to]); err != nil {
				return err
			}
		}
		return nil
	}
}

// findRunes hits every single character for which is holds.
func findRunes(is func(rune) bool) func(string) ([]cut, error) {
	return func(s string) ([]cut, error) {
		var cuts []cut
		done := 0
		for i, r := range s {
			if !is(r) {
				continue
			}
			if done < i {
				cuts = append(cuts, cut{done, i, false})
			}
			done = i + utf8.RuneLen(r)
			cuts = append(cuts, cut{i, done, true})
		}
		if done < len(s) {
			cuts = append(cuts, cut{done, len(s), false})
		}
		return cuts, nil
	}
}

func isPunctuation(r rune) bool {
	return unicode.IsPunct(r) || r < utf8.RuneSelf && unicode.IsSymbol(r)
}

// matchTimeout bounds a single match, so that a pattern that backtracks without end is an error.
const matchTimeout = 10 * time.Second

// findPattern hits the matches of a regular expression, or all that lies between them with invert.
func findPattern(re *regexp2.Regexp, invert bool) func(string) ([]cut, error) {
	re.MatchTimeout = matchTimeout
	return func(s string) ([]cut, error) {
		var cuts []cut
		done, at, runes := 0, 0, 0 // at is the byte offset of the rune with number runes
		offset := func(rune int) int {
			for ; runes < rune; runes++ {
				_, n := utf8.DecodeRuneInString(s[at:])
				at += n
			}
			return at
		}
		m, err := re.FindStringMatch(s)
		for ; m != nil && err == nil; m, err = re.FindNextMatch(m) {
			from := offset(m.Index)
			to := offset(m.Index + m.Length)
			if done < from {
				cuts = append(cuts, cut{done, from, invert})
			}
			cuts = append(cuts, cut{from, to, !invert})
			done = to
		}
		if done < len(s) {
			cuts = append(cuts, cut{done, len(s), invert})
		}
		if err != nil {
			return nil, fmt.Errorf("pattern %q took longer than %v on %d bytes of text", re, matchTimeout, len(s))
		}
		return cuts, nil
	}
}
