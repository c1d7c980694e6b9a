// Package tokenizer reads Hugging Face tokenizer.json files of the byte-level BPE kind (GPT-2,
// GPT-NeoX, Falcon, Llama 3, or plain bytes) and turns text into token ids and back.
//
// Encoding follows Hugging Face's tokenizers: added tokens are taken out of the text, the rest is
// normalized, cut into words and merged, and the post-processor's tokens are put around it. The
// file's truncation and padding are settings of a training run and have no effect here.
package tokenizer

import (
	"fmt"
	"os"
	"unicode/utf8"
)

// maxText is the longest text for one Encode in bytes, so that a word's bytes can be counted in
// 32 bits.
const maxText = 1 << 30

// Tokenizer is an immutable tokenizer; any number of goroutines may use it.
type Tokenizer struct {
	bytes []string // by id: the bytes that the token stands for
	kinds []kind   // by id
	ids   map[string]int32

	literal    *matcher // added tokens looked for in the text as it comes
	normalized *matcher // added tokens looked for after normalization
	nfc        bool
	steps      []step
	bpe        bpe

	prefix, suffix []int32 // what the post-processor puts around a text
}

// kind says what an id is.
type kind uint8

const (
	absent kind = iota
	plain
	special
)

// Load reads a tokenizer.json. Errors are one line naming the file and the field.
func Load(path string) (*Tokenizer, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// VocabSize returns one more than the highest id. Model rows beyond it have no token and must
// never be sampled.
func (t *Tokenizer) VocabSize() int { return len(t.bytes) }

// ID returns the id of a token as the file writes it, such as "Ġthe" or "<|endoftext|>".
func (t *Tokenizer) ID(token string) (int32, bool) {
	id, ok := t.ids[token]
	return id, ok
}

// IsSpecial reports whether id is a special token, one that stands for no text.
func (t *Tokenizer) IsSpecial(id int32) bool { return t.known(id) && t.kinds[id] == special }

// Bytes returns the bytes that a token stands for, which need not be UTF-8; for a special token
// they are its name. False when there is no such token.
func (t *Tokenizer) Bytes(id int32) ([]byte, bool) {
	if !t.known(id) {
		return nil, false
	}
	return []byte(t.bytes[id]), true
}

func (t *Tokenizer) known(id int32) bool {
	return 0 <= id && int(id) < len(t.bytes) && t.kinds[id] != absent
}

// Encode returns the ids of text: none for the empty text, unless the file's post-processor adds
// some. The text must be UTF-8.
func (t *Tokenizer) Encode(text string) ([]int32, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("tokenizer: text of %d bytes, more than %d", len(text), maxText)
	}
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("tokenizer: text is not UTF-8 at byte %d", firstInvalid(text))
	}
	e := encoder{bpe: &t.bpe, seen: map[string]span{}}
	e.ids = append(make([]int32, 0, len(t.prefix)+len(text)/4+len(t.suffix)), t.prefix...)
	err := t.literal.split(text, e.token, func(piece string) error {
		if t.nfc {
			piece = nfc(piece)
		}
		return t.normalized.split(piece, e.token, func(piece string) error {
			return run(t.steps, piece, e.word)
		})
	})
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return append(e.ids, t.suffix...), nil
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

// Decode returns the text of ids, without special tokens and without ids that are no token.
// Bytes that are no UTF-8 become U+FFFD as in [Stream].
func (t *Tokenizer) Decode(ids []int32) string {
	s := t.NewStream()
	for _, id := range ids {
		if t.known(id) && t.kinds[id] != special {
			s.held = append(s.held, t.bytes[id]...)
		}
	}
	return s.take() + s.Flush()
}
