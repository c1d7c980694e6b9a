package tokenizer

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// jsonFile is what these tests read of a tokenizer.json.
type jsonFile struct {
	Added []struct {
		ID      int32
		Content string
		Special bool
	} `json:"added_tokens"`
	Model struct {
		Vocab  map[string]int32
		Merges []string
	}
}

// vocabOf is the vocabulary of a tokenizer.json as a GGUF file has it.
func vocabOf(t *testing.T, name string) (Vocab, jsonFile) {
	t.Helper()
	var f jsonFile
	if err := json.Unmarshal(unzip("testdata/"+name+".json.gz"), &f); err != nil {
		t.Fatal(err)
	}
	n := len(f.Model.Vocab)
	for _, a := range f.Added {
		n = max(n, int(a.ID)+1)
	}
	v := Vocab{Tokens: make([]string, n), Types: make([]int32, n), Unknown: -1}
	for token, id := range f.Model.Vocab {
		v.Tokens[id], v.Types[id] = token, pieceNormal
	}
	for _, a := range f.Added {
		v.Tokens[a.ID], v.Types[a.ID] = a.Content, pieceUserDefined
		if a.Special {
			v.Types[a.ID] = pieceControl
		}
	}
	return v, f
}

// bpeVocab is a byte-level vocabulary with a pre-tokenizer.
func bpeVocab(t *testing.T, pre string) Vocab {
	v, f := vocabOf(t, "llama3-small")
	v.Model, v.Pre, v.Merges = "gpt2", pre, f.Model.Merges
	return v
}

// spmVocab is a vocabulary of SentencePiece's kind: a token's score is the place of its first merge.
func spmVocab(t *testing.T) Vocab {
	v, f := vocabOf(t, "llama2")
	v.Model, v.BOS, v.EOS, v.Unknown = "llama", 1, 2, 0
	v.Scores = make([]float32, len(v.Tokens))
	for i := range v.Scores {
		v.Scores[i] = -1e9
	}
	for rank, m := range slices.Backward(f.Model.Merges) {
		v.Scores[f.Model.Vocab[strings.ReplaceAll(m, " ", "")]] = -float32(rank)
	}
	for i, token := range v.Tokens {
		if _, ok := byteToken(token); ok {
			v.Types[i] = pieceByte
		}
	}
	v.Types[0], v.Types[f.Model.Vocab["▁▁▁▁"]] = pieceUnknown, pieceUserDefined
	return v
}

// TestGGUFVectors holds the pre-tokenizers and the model by scores against what llama.cpp makes of texts.
func TestGGUFVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/gguf-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Texts []string
		IDs   map[string][][]int32
	}
	if err := json.Unmarshal(data, &vectors); err != nil || len(vectors.IDs) == 0 {
		t.Fatalf("%d vocabularies (%v)", len(vectors.IDs), err)
	}
	no := false
	scores, bytes := spmVocab(t), bpeVocab(t, "")
	for name, want := range vectors.IDs {
		v := scores
		if name == "spm-nopre" {
			v.AddPrefix = &no
		} else if name != "spm" {
			v, v.Pre = bytes, name
		}
		tok, err := FromVocab(v)
		if err != nil {
			t.Error(err)
			continue
		}
		for i, text := range vectors.Texts {
			check(t, name, tok, text, Options{}, want[i])
		}
	}
}

// TestPreTokenizers: every name that is known compiles, and no other is taken.
func TestPreTokenizers(t *testing.T) {
	names := PreTokenizers()
	v := bpeVocab(t, "no-such")
	_, err := FromVocab(v)
	if err == nil || !strings.HasPrefix(err.Error(), `tokenizer.ggml.pre: "no-such" is not known`) {
		t.Errorf("an unknown name: %v", err)
	}
	v.Merges = nil
	for _, v.Pre = range append(names, "") {
		if _, err := FromVocab(v); err != nil {
			t.Error(err)
		}
	}
	if len(names) < 40 || !slices.Contains(names, "llama-bpe") {
		t.Errorf("known are %q", names)
	}
}

func TestVocabErrors(t *testing.T) {
	ok := Vocab{Model: "gpt2", Tokens: []string{"a", "b", "ab"}, Merges: []string{"a b"}, BOS: -1, EOS: -1, Unknown: -1}
	tests := []struct {
		change func(*Vocab)
		want   string
	}{
		{func(v *Vocab) { v.Model = "bert" }, `tokenizer.ggml.model: "bert" is not supported`},
		{func(v *Vocab) { v.Tokens = nil }, "tokenizer.ggml.tokens: is missing or empty"},
		{func(v *Vocab) { v.Tokens[1] = "a" }, `tokenizer.ggml.tokens[1]: "a" is token 0, too`},
		{func(v *Vocab) { v.Scores = []float32{1} }, "tokenizer.ggml.scores: has 1 entries for 3 tokens"},
		{func(v *Vocab) { v.Types = []int32{1} }, "tokenizer.ggml.token_type: has 1 entries for 3 tokens"},
		{func(v *Vocab) { v.BOS = 3 }, "tokenizer.ggml.bos_token_id: 3 is outside the vocabulary of 3"},
		{func(v *Vocab) { v.EOS = -2 }, "tokenizer.ggml.eos_token_id: -2 is outside"},
		{func(v *Vocab) { v.Merges = []string{"ab"} }, `tokenizer.ggml.merges[0]: "ab" is not two tokens`},
		{func(v *Vocab) { v.Merges = []string{""} }, `tokenizer.ggml.merges[0]: "" is not two tokens`},
		{func(v *Vocab) { v.Merges = []string{"a a"} }, `tokenizer.ggml.merges[0]: "a" and "a" or what they make`},
		{func(v *Vocab) { v.Model, v.Tokens[0] = "llama", "\xFF" }, `tokenizer.ggml.tokens: token 0: "\xff" is not UTF-8`},
		{func(v *Vocab) { v.Model, v.Charsmap = "t5", []byte("abc") }, "tokenizer.ggml.precompiled_charsmap: is shorter"},
	}
	for _, test := range tests {
		v := ok
		v.Tokens = slices.Clone(ok.Tokens)
		test.change(&v)
		if _, err := FromVocab(v); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
	if _, err := FromVocab(ok); err != nil {
		t.Error(err)
	}
}

// TestVocabBeginning: the token for the beginning is as the file says, or as the kind has it.
func TestVocabBeginning(t *testing.T) {
	yes, no := true, false
	for _, test := range []struct {
		pre  string
		add  *bool
		want int
	}{{"gpt-2", nil, 0}, {"gpt-2", &yes, 1}, {"llama-bpe", nil, 1}, {"llama-bpe", &no, 0}, {"tekken", nil, 1}} {
		v := bpeVocab(t, test.pre)
		v.BOS, v.AddBOS = 5, test.add
		tok, err := FromVocab(v)
		if err != nil {
			t.Fatal(err)
		}
		if ids, err := tok.Encode(""); err != nil || len(ids) != test.want {
			t.Errorf("%s: got %v (%v)", test.pre, ids, err)
		}
	}
}

// TestVocabFile: the file of a folder that a vocabulary becomes makes the same tokens.
func TestVocabFile(t *testing.T) {
	var vectors struct{ Texts []string }
	data, err := os.ReadFile("testdata/gguf-vectors.json")
	if err = errors.Join(err, json.Unmarshal(data, &vectors)); err != nil {
		t.Fatal(err)
	}
	yes := true
	pieces := spmVocab(t)
	for i, kind := range pieces.Types {
		if kind == pieceUserDefined { // which SentencePiece and llama.cpp look for in other ways
			pieces.Types[i] = pieceNormal
		}
	}
	vocabs := map[string]Vocab{"spm": pieces}
	for _, pre := range []string{"gpt-2", "llama-bpe", "deepseek-llm", "superbpe"} {
		v := bpeVocab(t, pre)
		v.BOS, v.EOS, v.AddEOS = 5, 6, &yes
		vocabs[pre] = v
	}
	for name, v := range vocabs {
		want, err := FromVocab(v)
		if err != nil {
			t.Fatal(err)
		}
		file, data, err := v.File()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Open(fstest.MapFS{file: {Data: data}}, func(name string) string { return name })
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range vectors.Texts {
			ids, err := want.Encode(text)
			if err != nil {
				t.Fatal(err)
			}
			check(t, name, got, text, Options{}, ids)
			if got.DecodeAll(ids) != want.DecodeAll(ids) {
				t.Errorf("%s: %v is %q, want %q", name, ids, got.DecodeAll(ids), want.DecodeAll(ids))
			}
		}
	}
}
