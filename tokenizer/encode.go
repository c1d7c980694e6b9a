package tokenizer

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// maxText is the longest text for one Encode in bytes, so that a word's bytes can be counted in
// 32 bits.
const maxText = 1 << 30

// Options say how a text is to be encoded. The zero value is what [Tokenizer.Encode] does.
type Options struct {
	// NoSpecial leaves out the tokens that the post-processor puts around a text, such as one for its
	// beginning.
	NoSpecial bool
	// NoEnd leaves out those behind the text, which is right for a text that is to go on.
	NoEnd bool
	// Continues says that the text goes on after another: nothing is put in front of it, no token and
	// no space.
	Continues bool
	// Literal takes the names of special tokens in the text as text.
	Literal bool
	// LiteralSpans are parts of the text where that holds, in order and apart. A special token that lies
	// partly in one is text, too.
	LiteralSpans []Span
}

// Span is a part of a text from byte From up to but not including byte To.
type Span struct{ From, To int }

// Encode returns the ids of text: none for the empty text, unless the file's post-processor adds
// some. The text must be UTF-8.
func (t *Tokenizer) Encode(text string) ([]int32, error) { return t.EncodeWith(text, Options{}) }

// EncodeWith is Encode with options.
func (t *Tokenizer) EncodeWith(text string, o Options) ([]int32, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("tokenizer: text of %d bytes, more than %d", len(text), maxText)
	}
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("tokenizer: text is not UTF-8 at byte %d", firstInvalid(text))
	}
	e := newEncoder(t.model, len(t.prefix)+len(text)/4+len(t.suffix))
	if !o.NoSpecial && !o.Continues {
		e.ids = append(e.ids, t.prefix...)
	}
	if err := t.encode(e, text, o); err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	if !o.NoSpecial && !o.NoEnd {
		e.ids = append(e.ids, t.suffix...)
	}
	return e.ids, nil
}

// encode appends the tokens of text itself.
func (t *Tokenizer) encode(e *encoder, text string, o Options) error {
	raw, plainNames := t.literal, o.Literal
	if len(o.LiteralSpans) > 0 {
		raw, plainNames = t.raw, true // spans are places in the text as it comes
	}
	return raw.split(text, search{
		token: e.token,
		allowed: func(a *added, from, to int) bool {
			return !a.special || !o.Literal && !touches(o.LiteralSpans, from, to)
		},
		piece: func(from, to int) error {
			p := piece{text[from:to], inside}
			if from == 0 {
				p.place = atStart
				if o.Continues {
					p.place = joined
				}
			}
			return t.encodePiece(e, p, plainNames)
		},
	})
}

// encodePiece appends the tokens of text between added tokens; plainNames says that names of special
// tokens are text.
func (t *Tokenizer) encodePiece(e *encoder, p piece, plainNames bool) error {
	p, err := t.normalize(p)
	if err != nil {
		return err
	}
	return t.normalized.split(p.text, search{
		token:   e.token,
		allowed: func(a *added, _, _ int) bool { return !a.special || !plainNames },
		piece:   func(from, to int) error { return run(t.steps, p.part(from, to), e.word) },
	})
}

// touches reports whether a part of a text lies in one of spans, if only partly.
func touches(spans []Span, from, to int) bool {
	i, _ := slices.BinarySearchFunc(spans, from, func(s Span, from int) int {
		if s.To <= from {
			return -1
		}
		return 1
	})
	return i < len(spans) && spans[i].From < to
}

// firstInvalid returns the offset of the first byte of s that is not UTF-8.
func firstInvalid(s string) int {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return i
			}
		}
	}
	return len(s)
}
