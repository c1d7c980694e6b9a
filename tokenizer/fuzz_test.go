package tokenizer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf8"

	"github.com/mmrun/mmrun/internal/bounded"
)

// soon makes patterns that backtrack without end an error at once.
func soon(f *testing.F) {
	before := matchTimeout
	matchTimeout = 50 * time.Millisecond
	f.Cleanup(func() { matchTimeout = before })
}

const fuzzText = "ab <s>  ab 12é THÉ\t</s>日本 foo_bar"

func FuzzParse(f *testing.F) {
	soon(f)
	f.Add(rich(), fuzzText)
	f.Add(tiny([][2]string{{"a", "b"}}, nil), "abab")
	files, err := filepath.Glob("testdata/cases/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("%d files (%v)", len(files), err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, fuzzText)
	}
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		bounded.Run(t, len(data)+len(text), func() { use(data, text) })
	})
}

// there takes a text to tokens and back.
func there(tok *Tokenizer, text string) {
	if ids, err := tok.Encode(text); err == nil {
		tok.DecodeAll(ids)
	}
}

func FuzzModel(f *testing.F) {
	for _, name := range spModels {
		data := unzip("testdata/sentencepiece/" + name + ".model.gz")
		f.Add(data[:min(len(data), 9000)], " the foo  bar\n<sep>é")
	}
	f.Add([]byte("\x0A\x05\x0A\x01a\x18\x01\x0A\x05\x0A\x01b\x18\x04\x0A\x06\x0A\x02ab\x18\x01\x12\x02\x18\x02"), "ab aab")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		bounded.Run(t, len(data)+len(text), func() {
			if tok, err := ParseModel("fuzz.model", data); err == nil {
				there(tok, text)
			}
		})
	})
}

// FuzzPair reads vocab.json, merges.txt and tokenizer_config.json.
func FuzzPair(f *testing.F) {
	f.Add(pairVocab, pairMerges, `{"add_bos_token":true,"bos_token":{"content":"<s>"}}`, fuzzText)
	f.Add(pairVocab, pairMerges, `{"tokenizer_class":"Qwen2Tokenizer","added_tokens_decoder":{"9":{"content":"aa"}}}`, fuzzText)
	f.Fuzz(func(t *testing.T, vocab, merges, config, text string) {
		folder := fstest.MapFS{vocabName: {Data: []byte(vocab)}, mergesName: {Data: []byte(merges)}, configName: {Data: []byte(config)}}
		bounded.Run(t, len(vocab)+len(merges)+len(config)+len(text), func() {
			if tok, err := Open(folder, func(name string) string { return name }); err == nil {
				there(tok, text)
			}
		})
	})
}

// FuzzVocab makes vocabularies of GGUF files: tokens in lines, merges in lines, and a digit for the type
// of each token.
func FuzzVocab(f *testing.F) {
	for _, model := range []string{"gpt2", "llama", "t5"} {
		f.Add(model, "llama-bpe", "<unk>\n<s>\na\nb\nab\n▁\n▁a\n<0x41>\nfoo", "a b", "233111164", []byte(nil), fuzzText)
	}
	f.Fuzz(func(t *testing.T, model, pre, tokens, merges, types string, charsmap []byte, text string) {
		v := Vocab{Model: model, Pre: pre, Tokens: strings.Split(tokens, "\n"), Charsmap: charsmap, BOS: 1, EOS: -1, Unknown: 0}
		if merges != "" {
			v.Merges = strings.Split(merges, "\n")
		}
		for i := range len(types) {
			v.Types = append(v.Types, int32(types[i])-'0')
			v.Scores = append(v.Scores, -float32(types[i]))
		}
		bounded.Run(t, len(tokens)+len(merges)+len(types)+len(charsmap)+len(text), func() {
			if tok, err := FromVocab(v); err == nil {
				there(tok, text)
			}
		})
	})
}

// FuzzPattern: what the translation makes of a pattern compiles or is an error.
func FuzzPattern(f *testing.F) {
	soon(f)
	for _, p := range []string{`[a-c[x-z]]+|.`, `a{,2}b++c?+`, `(?i:'s|'t)|\p{L}+(?!\S)`, `[^\w\s&&[^a]]`, `(?<n>a)\k`, `\x{41}[[:alpha:]]`, `a{2}?b{1,3}+`} {
		f.Add(p, fuzzText)
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		text = strings.ToValidUTF8(text, "\uFFFD") // Encode refuses what is none
		re, err := compilePattern(pattern)
		if err != nil {
			return
		}
		at := 0
		err = findPattern(re, false)(text, func(c cut) error {
			if c.from < at || c.to < c.from || c.to > len(text) {
				t.Fatalf("%q cuts %q at %v", pattern, text, c)
			}
			at = c.to
			return nil
		})
		if err == nil && at != len(text) {
			t.Fatalf("%q leaves a part of %q", pattern, text)
		}
	})
}

// FuzzDecode: tokens become the same text whether they come at once or one by one, all of it UTF-8.
func FuzzDecode(f *testing.F) {
	var toks []*Tokenizer
	for _, data := range [][]byte{rich(), unzip("testdata/llama2.json.gz"), unzip("testdata/falcon-like.json.gz")} {
		tok, err := Parse("fuzz", data)
		if err != nil {
			f.Fatal(err)
		}
		toks = append(toks, tok)
	}
	spm, err := ParseModel("fuzz.model", unzip("testdata/sentencepiece/uni2.model.gz"))
	if err != nil {
		f.Fatal(err)
	}
	toks = append(toks, spm)
	f.Add(byte(0), []byte("abc\x00\x01"), "é")
	f.Add(byte(1), []byte{1, 0, 5, 0, 200, 0, 231, 0, 141, 0}, "a\x00 b")
	f.Fuzz(func(t *testing.T, which byte, data []byte, text string) {
		tok := toks[int(which)%len(toks)]
		var ids []int32
		for i := 0; i+1 < len(data); i += 2 {
			ids = append(ids, int32(int16(data[i])|int16(data[i+1])<<8))
		}
		bounded.Run(t, len(data)+len(text), func() {
			if more, err := tok.Encode(text); err == nil {
				ids = append(ids, more...)
			}
			stream, streamed := tok.NewStream(), ""
			for _, id := range ids {
				piece := stream.Push(id)
				if !utf8.ValidString(piece) {
					t.Fatalf("token %d gives %q", id, piece)
				}
				streamed += piece
			}
			if streamed += stream.Flush(); streamed != tok.Decode(ids) {
				t.Fatalf("%v is %q one by one and %q at once", ids, streamed, tok.Decode(ids))
			}
		})
	})
}
