package tokenizer

import (
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// readPreTokenizer reads the field pre_tokenizer. What stands after ByteLevel in a sequence sees
// the alphabet's characters, so the text is written in them for those steps and only for them.
func (t *Tokenizer) readPreTokenizer(f *file) error {
	parts := flatten(f.PreTokenizer, "pre_tokenizer", func(p *part) (string, []part) { return "pretokenizers", p.Pretokenizers })
	level := slices.IndexFunc(parts, func(p located) bool { return p.Type == "ByteLevel" })
	t.byteLevel = level >= 0
	for i, p := range parts {
		s, err := p.step()
		if err != nil {
			return err
		}
		if p.Type == "ByteLevel" && i != level {
			return fmt.Errorf("%s: is a second ByteLevel after %s", p.field, parts[level].field)
		}
		t.steps = append(t.steps, s)
		if i == level && i < len(parts)-1 {
			t.steps = append(t.steps, writeAlphabet)
		}
	}
	if t.byteLevel && level < len(parts)-1 {
		t.steps = append(t.steps, readAlphabet)
	}
	return nil
}

func writeAlphabet(p piece, yield func(piece) error) error {
	p.text = toAlphabet(p.text)
	return yield(p)
}

func readAlphabet(p piece, yield func(piece) error) error {
	word, ok := fromAlphabet(p.text)
	if !ok {
		return fmt.Errorf("%q has characters outside the byte alphabet", p.text)
	}
	p.text = word
	return yield(p)
}

// step returns the step that a component of pre_tokenizer describes.
func (l located) step() (step, error) {
	switch l.Type {
	case "ByteLevel":
		if l.AddPrefixSpace == nil {
			return nil, fmt.Errorf("%s.add_prefix_space: is missing", l.field)
		}
		return byteLevel(*l.AddPrefixSpace, isTrue(l.UseRegex, true)), nil
	case "Digits":
		if l.IndividualDigits {
			return cutting(findRunes(unicode.IsNumber), isolated), nil
		}
		return cutting(findRunes(unicode.IsNumber), contiguous), nil
	case "Whitespace":
		return words, nil
	case "WhitespaceSplit":
		return cutting(findRunes(unicode.IsSpace), removed), nil
	case "CharDelimiterSplit":
		char, n := utf8.DecodeRuneInString(l.Delimiter)
		if n == 0 || n != len(l.Delimiter) {
			return nil, fmt.Errorf("%s.delimiter: %q is not one character", l.field, l.Delimiter)
		}
		return cutting(findRunes(func(r rune) bool { return r == char }), removed), nil
	case "Metaspace":
		return l.metaspace()
	case "Punctuation", "Split":
		return l.split()
	}
	return nil, l.unsupported("ByteLevel, Metaspace, Split, Punctuation, Digits, Whitespace, WhitespaceSplit, CharDelimiterSplit and Sequence")
}

// split is the step of Split and Punctuation.
func (l located) split() (step, error) {
	b := l.Behavior
	if b == "" && l.Type == "Punctuation" {
		b = isolated
	}
	if !b.valid() {
		return nil, fmt.Errorf("%s.behavior: %q is not supported", l.field, b)
	}
	if l.Type == "Punctuation" {
		return cutting(findRunes(isPunctuation), b), nil
	}
	re, err := l.compile()
	if err != nil {
		return nil, err
	}
	return cutting(findPattern(re, l.Invert), b), nil
}

// metaspace is the step of Metaspace.
func (l located) metaspace() (step, error) {
	mark, scheme, err := l.spaceMark()
	if err != nil {
		return nil, err
	}
	return metaspace(mark, scheme, isTrue(l.SplitWords, true)), nil
}

// spaceMark are the fields that Metaspace has as a pre-tokenizer and as a decoder: the character for a
// space, and where one is put in front. Early files say the latter with add_prefix_space.
func (l located) spaceMark() (mark, scheme string, err error) {
	mark, scheme = l.Replacement, l.PrependScheme
	if mark == "" {
		mark = spaceMark
	}
	if scheme == "" {
		scheme = "always"
		if !isTrue(l.AddPrefixSpace, true) {
			scheme = "never"
		}
	}
	if utf8.RuneCountInString(mark) != 1 {
		return "", "", fmt.Errorf("%s.replacement: %q is not one character", l.field, mark)
	}
	if scheme != "always" && scheme != "first" && scheme != "never" {
		return "", "", fmt.Errorf("%s.prepend_scheme: %q is not supported, only always, first and never", l.field, scheme)
	}
	return mark, scheme, nil
}

// spaceMark is the character that SentencePiece writes for a space.
const spaceMark = "▁"

// compile compiles the pattern of a Split.
func (l located) compile() (*regexp2.Regexp, error) {
	switch p := l.Pattern; {
	case p == nil || p.Regex == nil && p.String == nil:
		return nil, fmt.Errorf("%s.pattern: is missing", l.field)
	case p.Regex == nil:
		return compilePattern(regexp2.Escape(*p.String))
	}
	re, err := compilePattern(*l.Pattern.Regex)
	if err != nil {
		return nil, fmt.Errorf("%s.pattern: %w", l.field, err)
	}
	return re, nil
}
