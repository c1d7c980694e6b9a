package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// place says where a piece of text stands.
type place uint8

const (
	inside  place = iota // after something else of the text
	atStart              // at the beginning of a text
	joined               // at the beginning of a text that continues another: nothing is put before it
)

// piece is a part of a text on its way to the model. It is not empty.
type piece struct {
	text  string
	place place
}

// headless is the piece after something in front of it was taken away.
func (p piece) headless() piece {
	if p.place == atStart {
		p.place = inside
	}
	return p
}

// normalizer changes a piece of text.
type normalizer func(piece) (piece, error)

// onText is a normalizer that does not care where the piece stands.
func onText(f func(string) string) normalizer {
	return func(p piece) (piece, error) {
		p.text = f(p.text)
		return p, nil
	}
}

// removing is a normalizer that may leave out characters: what is left stands at the text's beginning no more if
// something went before it.
func removing(f func(string) string) normalizer {
	return func(p piece) (piece, error) {
		if _, n := utf8.DecodeRuneInString(p.text); n > 0 && f(p.text[:n]) == "" {
			p = p.headless()
		}
		p.text = f(p.text)
		return p, nil
	}
}

// prepend puts s before every text that is not empty.
func prepend(s string) normalizer {
	return func(p piece) (piece, error) {
		if p.text != "" && p.place != joined {
			p.text = s + p.text
		}
		return p, nil
	}
}

// strip takes white space off the ends. What is left stands at the text's beginning no more if
// something went before it.
func strip(left, right bool) normalizer {
	return func(p piece) (piece, error) {
		if left {
			before := len(p.text)
			p.text = strings.TrimLeftFunc(p.text, unicode.IsSpace)
			if len(p.text) < before {
				p = p.headless()
			}
		}
		if right {
			p.text = strings.TrimRightFunc(p.text, unicode.IsSpace)
		}
		return p, nil
	}
}

// stripAccents takes the combining marks out.
func stripAccents(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.M, r) {
			return -1
		}
		return r
	}, s)
}

// lowercase is the lower case of each character by itself, "i̇" for "İ".
func lowercase(s string) string {
	if strings.ContainsRune(s, 'İ') {
		s = strings.ReplaceAll(s, "İ", "i\u0307")
	}
	return strings.Map(unicode.ToLower, s)
}

// replacePattern replaces the matches of a regular expression.
func replacePattern(re *regexp2.Regexp, content string) normalizer {
	find := findPattern(re, false)
	return func(p piece) (piece, error) {
		var out strings.Builder
		gone := false
		err := find(p.text, func(c cut) error {
			gone = gone || c.hit && content == "" && c.from == 0 && c.to > 0
			if c.hit {
				out.WriteString(content)
			} else {
				out.WriteString(p.text[c.from:c.to])
			}
			return nil
		})
		if gone {
			p = p.headless()
		}
		p.text = out.String()
		return p, err
	}
}

// normalize runs all normalizers. A piece that they leave empty is over.
func (t *Tokenizer) normalize(p piece) (piece, error) {
	for _, n := range t.normalizers {
		var err error
		if p, err = n(p); err != nil {
			return p, err
		}
	}
	return p, nil
}
