package gguf

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mmrun/mmrun/tokenizer"
)

const (
	modelField   = "tokenizer.ggml.model"
	tokenControl = 3 // of tokenizer.ggml.token_type
)

// endsOfTurn are the usual names of control tokens that end a turn of a conversation.
var endsOfTurn = []string{"<|im_end|>", "<|eot_id|>", "<|end_of_turn|>", "<end_of_turn>", "<|end|>", "<|endoftext|>"}

// special are the tokens that stand for no text; -1 is none.
type special struct {
	bos, eos, unknown, pad int32
	ends                   []int32  // of a text or of a turn
	ignored                []string // what the metadata say and cannot be
}

// special reads them. An id that is no token is ignored, as llama.cpp does, and told of.
func (m *model) special(f *Metadata) special {
	tokens, _ := field(f, "tokenizer.ggml.tokens", "an array of strings", value.texts)
	types, _ := field(f, "tokenizer.ggml.token_type", "an array of whole numbers", value.wholes)
	var s special
	id := func(name string, absent int32) int32 {
		key := "tokenizer.ggml." + name + "_token_id"
		n, ok := field(f, key, "a whole number", value.whole)
		if !ok {
			if int(absent) >= len(tokens) {
				return -1
			}
			return absent
		}
		if n < 0 || n >= int64(len(tokens)) {
			s.ignored = append(s.ignored, fmt.Sprintf("%s %d is ignored: there are %d tokens", key, n, len(tokens)))
			return -1
		}
		return int32(n)
	}
	bos, eos, unknown := int32(-1), int32(-1), int32(-1)
	if f.Text(modelField) == "llama" { // whose places are always the same
		bos, eos, unknown = 1, 2, 0
	}
	s.bos, s.eos, s.unknown, s.pad = id("bos", bos), id("eos", eos), id("unknown", unknown), id("padding", -1)
	end := func(id int32) {
		if id >= 0 && !slices.Contains(s.ends, id) {
			s.ends = append(s.ends, id)
		}
	}
	end(s.eos)
	end(id("eot", -1))
	end(id("eom", -1))
	for i, text := range tokens {
		if i < len(types) && types[i] == tokenControl && slices.Contains(endsOfTurn, text) {
			end(int32(i))
		}
	}
	return s
}

// vocab is the vocabulary with its settings.
func (m *model) vocab() (tokenizer.Vocab, error) {
	f := m.metadata()
	const in = "tokenizer.ggml."
	s := m.special(f)
	v := tokenizer.Vocab{
		Model: f.Text(in + "model"), Pre: f.Text(in + "pre"),
		BOS: s.bos, EOS: s.eos, Unknown: s.unknown,
		AddBOS: f.Bool(in + "add_bos_token"), AddEOS: f.Bool(in + "add_eos_token"), AddPrefix: f.Bool(in + "add_space_prefix"),
	}
	v.Tokens, _ = field(f, in+"tokens", "an array of strings", value.texts)
	v.Merges, _ = field(f, in+"merges", "an array of strings", value.texts)
	v.Scores, _ = field(f, in+"scores", "an array of numbers", value.reals)
	v.Types, _ = field(f, in+"token_type", "an array of whole numbers", value.wholes)
	v.Charsmap, _ = field(f, in+"precompiled_charsmap", "an array of bytes", value.bytes)
	if tidy := f.Bool(in + "remove_extra_whitespaces"); tidy != nil {
		v.Tidy = *tidy
	}
	return v, f.err
}

// hasVocab says whether there is a tokenizer.
func (m *model) hasVocab() bool {
	kind, _ := m.meta[modelField].text()
	return kind != "" && kind != "none" && kind != "no_vocab"
}

// tokenizer makes the tokenizer.
func (m *model) tokenizer() (*tokenizer.Tokenizer, error) {
	v, err := m.vocab()
	switch {
	case err != nil:
		return nil, err
	case !m.hasVocab():
		return nil, errors.New(modelField + ": the file has no tokenizer")
	}
	return tokenizer.FromVocab(v)
}

// tokenizerFile is the tokenizer as a folder has it.
func (m *model) tokenizerFile() ([]byte, error) {
	v, err := m.vocab()
	if err != nil {
		return nil, err
	}
	_, data, err := v.File()
	return data, err
}

// tokenizerName is what a folder calls that file; "" without a tokenizer.
func (m *model) tokenizerName() string {
	switch kind, _ := m.meta[modelField].text(); {
	case !m.hasVocab():
		return ""
	case kind == "gpt2":
		return "tokenizer.json"
	}
	return "tokenizer.model"
}

// warnings are what to tell of the tokenizer.
func (m *model) warnings() []string {
	f := m.metadata()
	all := m.special(f).ignored
	if f.Text(modelField) == "gpt2" && f.Text("tokenizer.ggml.pre") == "" {
		all = append(all, "tokenizer.ggml.pre is missing: words are cut as llama.cpp's default does, which may not be as the model learned them")
	}
	return all
}
