package tokenizer

import "strings"

// Stream turns tokens into text as they come. The text is always complete UTF-8: bytes that only
// begin a character wait for the rest of it. Of a byte-level vocabulary, bytes that can no longer become
// a character turn into U+FFFD, one for each maximal part of one (the Unicode standard's
// recommendation). Where some tokens stand for single bytes beside tokens of text, a row of such bytes
// waits for its end, as it is U+FFFD for each when it is no UTF-8.
type Stream struct {
	t         *Tokenizer
	continues bool
	specials  bool
	chain     chain
}

// NewStream returns a stream that has seen no token: a space that the tokenizer puts in front of a text
// is left out.
func (t *Tokenizer) NewStream() *Stream { return t.newStream(false, false) }

// ContinueStream returns a stream of a text that goes on after other text, as generated text does after
// its prompt: a space in front of it is a space.
func (t *Tokenizer) ContinueStream() *Stream { return t.newStream(true, false) }

func (t *Tokenizer) newStream(continues, specials bool) *Stream {
	s := &Stream{t: t, continues: continues, specials: specials}
	s.chain = t.newChain(continues)
	return s
}

func (t *Tokenizer) newChain(continues bool) chain {
	c := make(chain, len(t.stages))
	for i, m := range t.stages {
		c[i] = m(continues)
	}
	return c
}

// Push adds a token and returns the text that is complete now, which may be none. Special tokens
// and ids outside the vocabulary add nothing.
func (s *Stream) Push(id int32) string {
	var text strings.Builder
	s.push(id, &text)
	return text.String()
}

func (s *Stream) push(id int32, text *strings.Builder) {
	if !s.t.known(id) || s.t.kinds[id] == special && !s.specials {
		return
	}
	s.chain.push(0, s.t.tokens[id], s.t.literals[id], func(s string) { text.WriteString(s) })
}

// Flush ends the text: it returns what was held back, U+FFFD for a character that was left incomplete.
// The stream is as new after it.
func (s *Stream) Flush() string {
	var text strings.Builder
	s.chain.flush(func(s string) { text.WriteString(s) })
	s.chain = s.t.newChain(s.continues)
	return text.String()
}

// Decode returns the text of ids, without special tokens and without ids that are no token. Bytes that
// are no UTF-8 become U+FFFD as in [Stream].
func (t *Tokenizer) Decode(ids []int32) string { return t.decode(ids, false) }

// DecodeAll is Decode with the names of special tokens in the text.
func (t *Tokenizer) DecodeAll(ids []int32) string { return t.decode(ids, true) }

func (t *Tokenizer) decode(ids []int32, specials bool) string {
	s := t.newStream(false, specials)
	var text strings.Builder
	for _, id := range ids {
		s.push(id, &text)
	}
	return text.String() + s.Flush()
}
