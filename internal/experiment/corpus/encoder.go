package corpus

import "github.com/mmrun/mmrun/tokenizer"

// An Encoder turns a text into tokens.
type Encoder func(text string) ([]int32, error)

// Plain is a tokenizer's Encode without what it puts around or in front of every text, so that the tokens
// of texts can be joined.
func Plain(tok *tokenizer.Tokenizer) Encoder {
	return func(text string) ([]int32, error) {
		return tok.EncodeWith(text, tokenizer.Options{NoSpecial: true, Continues: true})
	}
}
