package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

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

// finder cuts a text into the parts that a pattern hit and those between, in order.
type finder func(text string, yield func(cut) error) error

// cutting is the step that cuts pieces where find says.
func cutting(find finder, b behavior) step {
	return func(p piece, yield func(piece) error) error {
		var last cut // not yielded yet, as the next may join it
		send := func() error {
			if last.from == last.to || b == removed && last.hit {
				return nil
			}
			return yield(p.part(last.from, last.to))
		}
		err := find(p.text, func(c cut) error {
			if last.to > 0 && b.joins(last, c) {
				last.to, last.hit = c.to, c.hit
				return nil
			}
			err := send()
			last = c
			return err
		})
		if err != nil {
			return err
		}
		return send()
	}
}

// findRunes hits every single character for which is holds.
func findRunes(is func(rune) bool) finder {
	return func(s string, yield func(cut) error) error {
		done := 0
		for i, r := range s {
			if !is(r) {
				continue
			}
			if done < i {
				if err := yield(cut{done, i, false}); err != nil {
					return err
				}
			}
			done = i + utf8.RuneLen(r)
			if err := yield(cut{i, done, true}); err != nil {
				return err
			}
		}
		if done < len(s) {
			return yield(cut{done, len(s), false})
		}
		return nil
	}
}

func isPunctuation(r rune) bool {
	return unicode.IsPunct(r) || r < utf8.RuneSelf && unicode.IsSymbol(r)
}
