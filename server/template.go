package server

import (
	"slices"

	"github.com/mmrun/mmrun/chat"
	"github.com/mmrun/mmrun/tokenizer"
)

// Encode returns the tokens of a conversation up to where its next answer begins. Special tokens that messages name
// are text.
func (t *Template) Encode(tok *tokenizer.Tokenizer, messages []chat.Message) ([]int32, error) {
	c, err := t.render(tok, messages)
	return c.tokens, err
}

// Stop returns the texts that end an answer beside the model's end tokens.
func (t *Template) Stop() []string { return slices.Clone(t.stop) }
