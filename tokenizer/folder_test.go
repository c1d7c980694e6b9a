package tokenizer

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// open reads a folder of these files.
func open(files map[string]string) (*Tokenizer, error) {
	folder := fstest.MapFS{}
	for name, data := range files {
		folder[name] = &fstest.MapFile{Data: []byte(data)}
	}
	return Open(folder, func(name string) string { return "dir/" + name })
}

const (
	tinyAdded    = `[{"id":256,"content":"<s>","special":true},{"id":257,"content":"</s>","special":true}]`
	tinyTemplate = `{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}},{"SpecialToken":{"id":"</s>"}}],
		"special_tokens":{"<s>":{"ids":[256]},"</s>":{"ids":[257]}}}`
	pairVocab  = `{"a":0,"b":1,"ab":2,"Ġ":3,"Ġab":4,"<|endoftext|>":5,"1":6,"11":7}`
	pairMerges = "#version: 0.2\na b\r\nĠ ab\n1 1\n"
)

// TestConfig: add_bos_token and add_eos_token of tokenizer_config.json go before the file's template.
func TestConfig(t *testing.T) {
	plain := string(tiny(nil, fields{"added_tokens": tinyAdded}))
	around := string(tiny(nil, fields{"added_tokens": tinyAdded, "post_processor": tinyTemplate}))
	tests := []struct {
		file, config string
		want         []int32
	}{
		{plain, `{}`, []int32{'a'}},
		{plain, `{"add_bos_token":true,"bos_token":"<s>"}`, []int32{256, 'a'}},
		{plain, `{"add_bos_token":true,"bos_token":{"content":"<s>","lstrip":false}}`, []int32{256, 'a'}},
		{plain, `{"add_eos_token":true,"bos_token":null,"eos_token":"</s>"}`, []int32{'a', 257}},
		{around, `{"bos_token":"<s>","eos_token":"</s>"}`, []int32{256, 'a', 257}},
		{around, `{"bos_token":"<s>","eos_token":"</s>","add_bos_token":false}`, []int32{'a', 257}},
		{around, `{"bos_token":"<s>","eos_token":"</s>","add_bos_token":true,"add_eos_token":false}`, []int32{256, 'a'}},
	}
	for _, test := range tests {
		tok, err := open(map[string]string{jsonName: test.file, configName: test.config})
		if err != nil {
			t.Error(err)
			continue
		}
		check(t, test.config, tok, "a", Options{}, test.want)
	}
}

// TestModelConfig: the settings that tokenizer.model takes from tokenizer_config.json.
func TestModelConfig(t *testing.T) {
	model := string(unzip("testdata/sentencepiece/bpe.model.gz"))
	tests := []struct{ config, want string }{
		{`{}`, "<s> the</s> the"},
		{`{"add_bos_token":false}`, " the</s> the"},
		{`{"legacy":false}`, "<s> the</s>the"},
		{`{"add_prefix_space":false,"add_eos_token":true,"eos_token":"</s>"}`, "<s>the</s>the</s>"},
	}
	for _, test := range tests {
		tok, err := open(map[string]string{modelName: model, configName: test.config})
		if err != nil {
			t.Error(err)
			continue
		}
		ids, err := tok.Encode("the</s>the")
		got := ""
		for _, id := range ids {
			data, _ := tok.Bytes(id)
			got += string(data)
		}
		if err != nil || got != test.want {
			t.Errorf("%s: got %q (%v), want %q", test.config, got, err, test.want)
		}
		if id, ok := tok.BOS(); !ok || id != 1 {
			t.Errorf("the token for the beginning is %d, %v", id, ok)
		}
		if id, ok := tok.EOS(); !ok || id != 2 {
			t.Errorf("the token for the end is %d, %v", id, ok)
		}
	}
}

func TestPair(t *testing.T) {
	files := map[string]string{vocabName: pairVocab, mergesName: pairMerges}
	tests := []struct {
		config string
		want   []int32
	}{
		{``, []int32{2, 4, 3, 7, 5}},
		{`{"tokenizer_class":"GPT2Tokenizer","add_prefix_space":true}`, []int32{4, 4, 3, 7, 5}},
		{`{"tokenizer_class":"Qwen2Tokenizer","eos_token":"<|endoftext|>"}`, []int32{2, 4, 3, 6, 6, 5}},
		{`{"bos_token":"<s>"}`, []int32{2, 4, 3, 7}},
	}
	for _, test := range tests {
		delete(files, configName)
		if test.config != "" {
			files[configName] = test.config
		}
		tok, err := open(files)
		if err != nil {
			t.Error(err)
			continue
		}
		text := "ab ab 11"
		if len(test.want) > 4 {
			text += "<|endoftext|>"
		}
		check(t, test.config, tok, text, Options{}, test.want)
	}
	tok, err := open(map[string]string{vocabName: pairVocab, mergesName: pairMerges, configName: `{"bos_token":"<s>",
		"added_tokens_decoder":{"5":{"content":"<|endoftext|>","special":true},"9":{"content":"aa"}}}`})
	if err != nil {
		t.Fatal(err)
	}
	check(t, "added", tok, "aab<s>", Options{}, []int32{8, 1, 9}) // as Hugging Face counts them, whatever the file says
}

func TestOpenErrors(t *testing.T) {
	plain := string(tiny(nil, nil))
	tests := []struct {
		files map[string]string
		want  string
	}{
		{map[string]string{}, "dir/tokenizer.json: no such file, nor is there tokenizer.model, or vocab.json with merges.txt"},
		{map[string]string{vocabName: pairVocab}, "dir/merges.txt: no such file, which belongs to vocab.json"},
		{map[string]string{vocabName: "[]", mergesName: ""}, "dir/vocab.json: is a JSON array, not an object"},
		{map[string]string{vocabName: pairVocab, mergesName: "a\n"}, `dir/merges.txt: line 1: "a" is not two tokens`},
		{map[string]string{vocabName: pairVocab, mergesName: "a 1\n"}, `dir/vocab.json: model.merges[0]: "a" and "1"`},
		{map[string]string{vocabName: pairVocab, mergesName: "", configName: `{"tokenizer_class":"BartTokenizer"}`}, `dir/vocab.json: a tokenizer of the class "BartTokenizer"`},
		{map[string]string{vocabName: pairVocab, mergesName: "", configName: `{"added_tokens_decoder":{"x":{}}}`}, `dir/vocab.json: added_tokens_decoder: "x" is no id`},
		{map[string]string{jsonName: "{", modelName: "", vocabName: pairVocab}, "dir/tokenizer.json: broken JSON"},
		{map[string]string{jsonName: "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"}, "dir/tokenizer.json: is a pointer of Git LFS"},
		{map[string]string{modelName: "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"}, "dir/tokenizer.model: is a pointer of Git LFS"},
		{map[string]string{jsonName: plain, configName: "["}, "dir/tokenizer_config.json: broken JSON at byte 1"},
		{map[string]string{jsonName: plain, configName: `{"add_bos_token":"x"}`}, "dir/tokenizer_config.json: add_bos_token: is a JSON string"},
		{map[string]string{jsonName: plain, configName: `{"add_bos_token":true}`}, `dir/tokenizer_config.json: add_bos_token: is true, but bos_token, "", is no token`},
	}
	for _, test := range tests {
		_, err := open(test.files)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
		if none := len(test.files) == 0; none != errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: that there is no tokenizer is %v", err, none)
		}
	}
}

// TestOptions says what is a token and what is text.
func TestOptions(t *testing.T) {
	tok := mustParse(t, tiny(nil, fields{"post_processor": tinyTemplate, "added_tokens": `[{"id":256,"content":"<s>","special":true},
		{"id":257,"content":"</s>","special":true},{"id":258,"content":"ab"},{"id":259,"content":"<s>x","special":true},{"id":260,"content":"$$","special":true,"normalized":true}]`}))
	letters := func(s string) (ids []int32) {
		for i := range len(s) {
			ids = append(ids, int32(s[i]))
		}
		return ids
	}
	tests := []struct {
		text string
		o    Options
		want []int32
	}{
		{"a<s>", Options{}, []int32{256, 'a', 256, 257}},
		{"a<s>", Options{NoEnd: true}, []int32{256, 'a', 256}},
		{"a<s>", Options{NoSpecial: true}, []int32{'a', 256}},
		{"a<s>", Options{Continues: true}, []int32{'a', 256, 257}},
		{"<s>ab$$", Options{NoSpecial: true, Literal: true}, append(letters("<s>"), 258, '$', '$')},
		{"<s><s>$$", Options{NoSpecial: true, LiteralSpans: []Span{{0, 3}}}, append(letters("<s>"), 256, 260)},
		{"<s>x<s>x", Options{NoSpecial: true, LiteralSpans: []Span{{3, 4}}}, []int32{256, 'x', 259}},
		{"<s><s>", Options{NoSpecial: true, LiteralSpans: []Span{{2, 4}}}, letters("<s><s>")},
		{"<s>ab$$", Options{NoSpecial: true, LiteralSpans: []Span{{3, 6}}}, []int32{256, 258, '$', '$'}},
	}
	for _, test := range tests {
		check(t, "tiny", tok, test.text, test.o, test.want)
	}
	if got := tok.DecodeAll([]int32{256, 'a', 257}); got != "<s>a</s>" {
		t.Errorf("decodes with names to %q", got)
	}
}

// TestContinues: a prefix space belongs to a sequence's first text, whatever puts it there.
func TestContinues(t *testing.T) {
	llama, err := Parse("llama2", unzip("testdata/llama2.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []*Tokenizer{
		llama,
		loadCase(t, "metaspace-first"),
		loadCase(t, "unigram"),
		mustParse(t, tiny(nil, fields{"pre_tokenizer": `{"type":"ByteLevel","add_prefix_space":true}`})),
	}
	for i, tok := range tests {
		first, err := tok.Encode("the")
		if err != nil {
			t.Fatal(err)
		}
		next, err := tok.EncodeWith("the", Options{Continues: true})
		if err != nil || slices.Equal(first, next) {
			t.Errorf("%d: %v and going on %v (%v)", i, first, next, err)
		}
		s := tok.ContinueStream()
		text := ""
		for _, id := range next {
			text += s.Push(id)
		}
		if text += s.Flush(); text != "the" {
			t.Errorf("%d: goes on with %q", i, text)
		}
	}
}
