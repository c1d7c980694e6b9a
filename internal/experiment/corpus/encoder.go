package corpus

import "github.com/mmrun/mmrun/tokenizer"

// An Encoder turns a text into tokens.
type Encoder func(text string) ([]int32, error)

// Plain is a tokenizer's Encode without what its post-processor puts around every text, so that the
// tokens of texts can be joined.
func Plain(tok *tokenizer.Tokenizer) (Encoder, error) {
	around, err := tok.Encode("")
	if err != nil {
		return nil, err
	}
	letter, err := tok.Encode("a")
	if err != nil {
		return nil, err
	}
	prefix := 0
	for prefix < len(around) && letter[prefix] == around[prefix] {
		prefix++
	}
	suffix := len(around) - prefix
	return func(text string) ([]int32, error) {
		ids, err := tok.Encode(text)
		if err != nil {
			return nil, err
		}
		return ids[prefix : len(ids)-suffix], nil
	}, nil
}
