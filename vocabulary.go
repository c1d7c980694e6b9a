package mmrun

import (
	"bytes"

	"github.com/mmrun/mmrun/grammar"
	"github.com/mmrun/mmrun/tokenizer"
)

// Vocabulary is the model's tokens as grammars look at them: make a [grammar.Grammar]'s Constraint of it, one for each
// text, and hand it over in GenerateOptions.Sample. It is made when it is first asked for.
func (m *Model) Vocabulary() *grammar.Vocabulary {
	if m == nil || m.tokenizer == nil {
		return nil
	}
	m.vocabularyOnce.Do(func() { m.vocabulary = NewVocabulary(m.tokenizer, m.Sizes().EOS) })
	return m.vocabulary
}

// NewVocabulary returns a tokenizer's tokens as grammars look at them. ends are those that end a text. Special tokens
// stand for no text; grammars may name them, and others that look like <this>.
func NewVocabulary(t *tokenizer.Tokenizer, ends []int32) *grammar.Vocabulary {
	pieces := make([][]byte, t.VocabSize())
	names := map[string]int32{}
	for id := range pieces {
		piece, ok := t.Bytes(int32(id))
		if !ok {
			continue
		}
		special := t.IsSpecial(int32(id))
		if special || bytes.HasPrefix(piece, []byte("<")) && bytes.HasSuffix(piece, []byte(">")) {
			names[string(piece)] = int32(id)
		}
		if !special {
			pieces[id] = piece
		}
	}
	return grammar.NewVocabulary(pieces, ends, names)
}
