package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// metaspace is the pre-tokenizer Metaspace: spaces become mark, one is put in front as scheme says,
// and words begin at marks.
func metaspace(mark string, scheme string, split bool) step {
	char, _ := utf8.DecodeRuneInString(mark)
	cutAtMarks := cutting(findRunes(func(r rune) bool { return r == char }), mergedWithNext)
	return func(p piece, yield func(piece) error) error {
		p.text = strings.ReplaceAll(p.text, " ", mark)
		always := scheme == "always" && p.place != joined
		if (always || scheme == "first" && p.place == atStart) && !strings.HasPrefix(p.text, mark) {
			p.text = mark + p.text
		}
		if !split {
			return yield(p)
		}
		return cutAtMarks(p, yield)
	}
}

// words is the pre-tokenizer Whitespace: runs of letters and digits, and runs of what is neither that
// nor white space.
func words(p piece, yield func(piece) error) error {
	kind := func(r rune) int {
		switch {
		case isWord(r):
			return 1
		case unicode.IsSpace(r):
			return 0
		}
		return 2
	}
	from, last := 0, 0
	for i, r := range p.text {
		k := kind(r)
		if i > 0 && k != last {
			if err := sendWord(p, from, i, last, yield); err != nil {
				return err
			}
			from = i
		}
		last = k
	}
	return sendWord(p, from, len(p.text), last, yield)
}

func sendWord(p piece, from, to, kind int, yield func(piece) error) error {
	if kind == 0 {
		return nil
	}
	return yield(p.part(from, to))
}
