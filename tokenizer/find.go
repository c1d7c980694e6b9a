package tokenizer

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// matchTimeout bounds a single match, so that a pattern that backtracks without end is an error. Tests
// shorten it.
var matchTimeout = 10 * time.Second

// A long text is searched through a window that moves along it, so that the engine's copy of it, four
// bytes for each character, stays small. A match counts when it ends windowMargin characters before the
// window's end; else the window grows.
const (
	windowSize   = 1 << 16 // characters
	windowMargin = 1 << 10 // characters behind a match that it may depend on
	windowBehind = 64      // characters in front of it
)

// findPattern hits the matches of a regular expression, or all that lies between them with invert.
func findPattern(re *regexp2.Regexp, invert bool) finder {
	return func(s string, yield func(cut) error) error {
		w := window{text: s, size: windowSize}
		w.fill()
		done, start := 0, 0 // in bytes of s, and in runes of the window
		for {
			m, err := re.FindRunesMatchStartingAt(w.runes, start)
			if err != nil {
				return fmt.Errorf("pattern %q took longer than %v on %d bytes of text", re, re.MatchTimeout, len(s))
			}
			if !w.last && (m == nil || m.Index+m.Length > len(w.runes)-windowMargin) {
				start = w.move(start)
				continue
			}
			if m == nil {
				break
			}
			if m.Index < start { // repeats of nothing inside repeats can confuse the engine
				return fmt.Errorf("pattern %q: its repeats inside repeats cannot be matched", re)
			}
			from := w.offset(m.Index)
			to := w.offset(m.Index + m.Length)
			if done < from {
				if err := yield(cut{done, from, invert}); err != nil {
					return err
				}
			}
			if err := yield(cut{from, to, !invert}); err != nil {
				return err
			}
			done, start = to, m.Index+m.Length
			if m.Length == 0 {
				start++
			}
			if start > len(w.runes) {
				break
			}
		}
		if done < len(s) {
			return yield(cut{done, len(s), invert})
		}
		return nil
	}
}

// window is a part of a text as runes.
type window struct {
	text  string
	from  int // in text, of the first rune
	to    int // in text, behind the last
	size  int // runes wanted
	runes []rune
	last  bool // it reaches to the text's end

	rune, at int // a place that was looked up: its number among the runes, its place in the text
}

// fill reads the runes from from on.
func (w *window) fill() {
	if cap(w.runes) < w.size {
		w.runes = make([]rune, 0, min(w.size, len(w.text)-w.from))
	}
	w.runes = w.runes[:0]
	w.to = len(w.text)
	w.last = true
	for i, r := range w.text[w.from:] {
		if len(w.runes) == w.size {
			w.to, w.last = w.from+i, false
			break
		}
		w.runes = append(w.runes, r)
	}
	w.rune, w.at = 0, w.from
}

// move brings the window to rune number start, with some in front of it, or makes it larger where that
// gains nothing. It returns the number that start has then.
func (w *window) move(start int) int {
	keep := min(start, windowBehind)
	at := w.offset(start - keep)
	if at <= w.from+(w.to-w.from)/4 {
		w.size *= 2
	} else {
		w.size = windowSize
	}
	w.from = at
	w.fill()
	return keep
}

// offset is the place in the text of rune number n of the window. Numbers come in order, mostly.
func (w *window) offset(n int) int {
	if n < w.rune {
		w.rune, w.at = 0, w.from
	}
	for ; w.rune < n; w.rune++ {
		_, size := utf8.DecodeRuneInString(w.text[w.at:])
		w.at += size
	}
	return w.at
}
