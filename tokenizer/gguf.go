package tokenizer

import (
	"errors"
	"fmt"
	"strings"
)

// Vocab is a vocabulary as the metadata of a GGUF file has it, under tokenizer.ggml.
type Vocab struct {
	Model  string    // model: "gpt2" (byte-level BPE), "llama" (SentencePiece by scores) or "t5" (unigram)
	Pre    string    // pre: how words are cut, of "gpt2"; "" for a file that does not say, which means "default"
	Tokens []string  // tokens
	Scores []float32 // scores, of "llama" and "t5"; none are all 0
	Types  []int32   // token_type: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte; none are all normal
	Merges []string  // merges, of "gpt2": two tokens with a space between

	BOS, EOS, Unknown int32 // bos_token_id, eos_token_id and unknown_token_id; -1 for none

	AddBOS, AddEOS *bool // add_bos_token and add_eos_token; nil is the model's default
	AddPrefix      *bool // add_space_prefix; nil is the model's default
	Tidy           bool  // remove_extra_whitespaces
	Charsmap       []byte
}

// FromVocab makes the tokenizer of a GGUF file. Errors name the field, and the caller names the file.
// A name of a pre-tokenizer that is not known is an error.
func FromVocab(v Vocab) (*Tokenizer, error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	switch v.Model {
	case "gpt2":
		return v.bytePairs()
	case "llama", "t5":
		return v.pieces()
	}
	return nil, fmt.Errorf("tokenizer.ggml.model: %q is not supported, only gpt2, llama and t5", v.Model)
}

// check finds lists and ids that do not fit together, and fills lists that may be absent.
func (v *Vocab) check() error {
	n := len(v.Tokens)
	switch {
	case n == 0:
		return errors.New("tokenizer.ggml.tokens: is missing or empty")
	case v.Scores != nil && len(v.Scores) != n:
		return fmt.Errorf("tokenizer.ggml.scores: has %d entries for %d tokens", len(v.Scores), n)
	case v.Types != nil && len(v.Types) != n:
		return fmt.Errorf("tokenizer.ggml.token_type: has %d entries for %d tokens", len(v.Types), n)
	}
	for _, id := range []struct {
		field string
		id    int32
	}{{"bos", v.BOS}, {"eos", v.EOS}, {"unknown", v.Unknown}} {
		if id.id < -1 || int(id.id) >= n {
			return fmt.Errorf("tokenizer.ggml.%s_token_id: %d is outside the vocabulary of %d", id.field, id.id, n)
		}
	}
	if v.Scores == nil {
		v.Scores = make([]float32, n)
	}
	if v.Types == nil {
		v.Types = make([]int32, n)
		for i := range v.Types {
			v.Types[i] = pieceNormal
		}
	}
	return nil
}

// text is token number i; one without a text gets a name that no text holds.
func (v *Vocab) text(i int) string {
	if v.Tokens[i] == "" {
		return fmt.Sprintf("[EMPTY_%d]", i)
	}
	return v.Tokens[i]
}

// bytePairs makes a byte-level tokenizer.
func (v *Vocab) bytePairs() (*Tokenizer, error) {
	pre, ok := preTokenizers[v.Pre]
	if !ok {
		return nil, fmt.Errorf("tokenizer.ggml.pre: %q is not known; words would be cut in the wrong places", v.Pre)
	}
	t := newTokenizer()
	t.resize(len(v.Tokens))
	vocab := make(map[string]int64, len(v.Tokens))
	for i := range v.Tokens {
		text := v.text(i)
		if old, ok := vocab[text]; ok {
			return nil, fmt.Errorf("tokenizer.ggml.tokens[%d]: %q is token %d, too", i, text, old)
		}
		vocab[text] = int64(i)
		t.tokens[i], t.kinds[i], t.ids[text] = text, plain, int32(i)
		v.addToken(t, int32(i))
	}
	b := &bpe{unk: v.Unknown}
	pairs, err := ggufPairs(v.Merges)
	if err == nil {
		err = b.readMerges("tokenizer.ggml.merges", pairs, vocab)
	}
	if err != nil {
		return nil, err
	}
	b.fill(vocab, true, pre.whole)
	b.findEdges(pairs, true)
	t.model, t.byteLevel = b, true
	if t.steps, err = pre.steps(); err != nil {
		return nil, fmt.Errorf("tokenizer.ggml.pre: %q: %w", v.Pre, err)
	}
	t.stages = []maker{func(bool) stage { return &byteLevelStage{} }}
	v.finish(t, pre.bos)
	t.fillBytes()
	return t, nil
}

// addToken enters a token that is found in a text before all else.
func (v *Vocab) addToken(t *Tokenizer, id int32) {
	a := added{id: id}
	switch v.Types[id] {
	case pieceControl, pieceUnknown:
		t.kinds[id], a.special = special, true
	case pieceUserDefined:
	default:
		return
	}
	t.literals[id] = true
	t.literal.add(t.tokens[id], a)
	t.raw.add(t.tokens[id], a)
}

// finish sets the tokens for the beginning and the end.
func (v *Vocab) finish(t *Tokenizer, bos bool) {
	t.bos, t.eos = v.BOS, v.EOS
	if isTrue(v.AddBOS, bos) && v.BOS >= 0 {
		t.prefix = []int32{v.BOS}
	}
	if isTrue(v.AddEOS, false) && v.EOS >= 0 {
		t.suffix = []int32{v.EOS}
	}
}

// ggufPairs reads the merges. The first token of a pair has one character at least, which may be a space.
func ggufPairs(merges []string) ([][2]string, error) {
	pairs := make([][2]string, len(merges))
	for i, s := range merges {
		at := strings.IndexByte(s[min(1, len(s)):], ' ') + 1
		if at == 0 || at+1 == len(s) {
			return nil, fmt.Errorf("tokenizer.ggml.merges[%d]: %q is not two tokens with a space between", i, s)
		}
		pairs[i] = [2]string{s[:at], s[at+1:]}
	}
	return pairs, nil
}

// pieces makes a tokenizer of SentencePiece's kind.
func (v *Vocab) pieces() (*Tokenizer, error) {
	unigram := v.Model == "t5"
	p := spVocab{
		scores: v.Scores, types: v.Types, unigram: unigram, llama: !unigram,
		prefix: isTrue(v.AddPrefix, true), tidy: v.Tidy && unigram,
		unk: v.Unknown, bos: v.BOS, eos: v.EOS,
		addBOS: isTrue(v.AddBOS, !unigram), addEOS: isTrue(v.AddEOS, unigram),
	}
	for i := range v.Tokens {
		p.texts = append(p.texts, v.text(i))
	}
	if len(v.Charsmap) > 0 && unigram {
		m, err := parseCharsmap(v.Charsmap)
		if err != nil {
			return nil, fmt.Errorf("tokenizer.ggml.precompiled_charsmap: %w", err)
		}
		p.charsmap = m
	}
	t, err := p.tokenizer()
	if err != nil {
		return nil, fmt.Errorf("tokenizer.ggml.tokens: %w", err)
	}
	return t, nil
}
