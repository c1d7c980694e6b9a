// Package tokenizer turns text into token ids and back, as Hugging Face's tokenizers do it.
//
// It reads tokenizer.json files of byte-pair models over bytes (GPT-2, GPT-NeoX, Falcon, Llama 3) and
// over characters (Llama 2 and others of SentencePiece), and of unigram models; SentencePiece's own
// tokenizer.model; and pairs of vocab.json and merges.txt. [Open] finds what a folder has, with the
// settings of tokenizer_config.json.
//
// Encoding takes added tokens out of the text, normalizes the rest, cuts it into words, turns them into
// tokens and puts the post-processor's tokens around it. The file's truncation and padding are settings
// of a training run and have no effect here.
package tokenizer

import "github.com/mmrun/mmrun/internal/infile"

// Tokenizer is an immutable tokenizer; any number of goroutines may use it.
type Tokenizer struct {
	tokens   []string // by id: the token as the file writes it
	bytes    []string // by id: the bytes that the token stands for
	kinds    []kind   // by id
	literals []bool   // by id: an added token, which stands for itself
	ids      map[string]int32

	literal     *matcher // added tokens looked for in the text as it comes
	normalized  *matcher // added tokens looked for after normalization
	raw         *matcher // literal, and special ones of normalized by their names
	normalizers []normalizer
	byteLevel   bool // words are written in the alphabet of bytes
	steps       []step
	model       model
	stages      []maker

	prefix, suffix []int32 // what the post-processor puts around a text
	bos, eos       int32   // -1 where the file names none
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
	data, err := infile.Read(path, infile.Most)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// VocabSize returns one more than the highest id. Model rows beyond it have no token and must
// never be sampled.
func (t *Tokenizer) VocabSize() int { return len(t.tokens) }

// ID returns the id of a token as the file writes it, such as "Ġthe" or "<|endoftext|>".
func (t *Tokenizer) ID(token string) (int32, bool) {
	id, ok := t.ids[token]
	return id, ok
}

// BOS returns the token for the beginning of a text, as tokenizer_config.json, tokenizer.model or a GGUF
// file names it; false when none does.
func (t *Tokenizer) BOS() (int32, bool) { return t.bos, t.bos >= 0 }

// EOS returns the token for the end of a text; false when no file names it.
func (t *Tokenizer) EOS() (int32, bool) { return t.eos, t.eos >= 0 }

// IsSpecial reports whether id is a special token, one that stands for no text.
func (t *Tokenizer) IsSpecial(id int32) bool { return t.known(id) && t.kinds[id] == special }

// Bytes returns the bytes that a token stands for inside a text, which need not be UTF-8; for a special
// token they are its name. False when there is no such token.
func (t *Tokenizer) Bytes(id int32) ([]byte, bool) {
	if !t.known(id) {
		return nil, false
	}
	return []byte(t.bytes[id]), true
}

func (t *Tokenizer) known(id int32) bool {
	return 0 <= id && int(id) < len(t.tokens) && t.kinds[id] != absent
}
