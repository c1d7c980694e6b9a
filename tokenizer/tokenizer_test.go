package tokenizer

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// neox is the tokenizer of GPT-NeoX-20B, which the published Mamba checkpoints use.
var neox = sync.OnceValue(func() *Tokenizer {
	t, err := Parse("gpt-neox-20b.json", unzip("testdata/gpt-neox-20b.json.gz"))
	if err != nil {
		panic(err)
	}
	return t
})

func unzip(path string) []byte {
	packed, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		panic(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	return data
}

func TestNeoXVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/gpt-neox-20b-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Text string
		IDs  []int32
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range vectors {
		got, err := neox().Encode(v.Text)
		if err != nil || !slices.Equal(got, v.IDs) {
			t.Errorf("%q: got %v (%v), want %v", v.Text, got, err, v.IDs)
		}
		want := strings.ReplaceAll(v.Text, "<|endoftext|>", "")
		if text := neox().Decode(v.IDs); text != want {
			t.Errorf("%v: decodes to %q, want %q", v.IDs, text, want)
		}
	}
}

func TestNeoXVocabulary(t *testing.T) {
	tok := neox()
	if got := tok.VocabSize(); got != 50277 {
		t.Errorf("VocabSize is %d, want 50277", got)
	}
	tests := []struct {
		token   string
		id      int32
		bytes   string
		special bool
	}{
		{"<|endoftext|>", 0, "<|endoftext|>", true},
		{"!", 2, "!", false},
		{"ĠHello", 24387, " Hello", false},
		{"   ", 50275, "   ", false},
	}
	for _, test := range tests {
		id, ok := tok.ID(test.token)
		if !ok || id != test.id {
			t.Errorf("ID(%q) = %d, %v, want %d", test.token, id, ok, test.id)
		}
		data, ok := tok.Bytes(test.id)
		if !ok || string(data) != test.bytes {
			t.Errorf("Bytes(%d) = %q, %v, want %q", test.id, data, ok, test.bytes)
		}
		if got := tok.IsSpecial(test.id); got != test.special {
			t.Errorf("IsSpecial(%d) = %v", test.id, got)
		}
	}
	if _, ok := tok.ID(" Hello"); ok {
		t.Error(`ID(" Hello") is a token, want only "ĠHello"`)
	}
	for _, id := range []int32{-1, 50277, 1 << 30} {
		if _, ok := tok.Bytes(id); ok || tok.IsSpecial(id) || tok.Decode([]int32{id}) != "" {
			t.Errorf("id %d is a token", id)
		}
	}
}

func TestBytesOnly(t *testing.T) {
	tok := mustParse(t, tiny(nil, fields{"added_tokens": `[{"id":256,"content":"<|endoftext|>","special":true}]`}))
	ids, err := tok.Encode("Añ\x00<|endoftext|> ")
	if want := []int32{'A', 0xC3, 0xB1, 0, 256, ' '}; err != nil || !slices.Equal(ids, want) {
		t.Errorf("got %v (%v), want %v", ids, err, want)
	}
	if got := tok.Decode(ids); got != "Añ\x00 " {
		t.Errorf("decodes to %q", got)
	}
	if got := tok.VocabSize(); got != 257 {
		t.Errorf("VocabSize is %d, want 257", got)
	}
}

func TestEncodeErrors(t *testing.T) {
	if _, err := neox().Encode("ab\uFFFD\xE2\x82"); err == nil || err.Error() != "tokenizer: text is not UTF-8 at byte 5" {
		t.Errorf("broken UTF-8: %v", err)
	}
	model := tinyModel(nil)
	delete(model["vocab"].(map[string]int), "Ġ")
	tok := mustParse(t, tiny(nil, fields{"model": toJSON(model)}))
	want := "tokenizer: byte 0x20 ('Ġ' in the vocabulary's alphabet) has no token"
	if _, err := tok.Encode("a b"); err == nil || err.Error() != want {
		t.Errorf("missing byte: %v, want %s", err, want)
	}
}

func TestEncodeEmptyIsNotNil(t *testing.T) {
	if ids, err := neox().Encode(""); err != nil || ids == nil || len(ids) != 0 {
		t.Errorf("got %#v (%v), want an empty list", ids, err)
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokenizer.json")
	if err := os.WriteFile(path, tiny(nil, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, path + ".none"} {
		if _, err := Load(p); err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("%v, want an error naming %s", err, p)
		}
	}
}

// text draws UTF-8 that is rich in what the tokenizer treats apart, but names no special token.
func text() *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOf(rapid.OneOf(
		rapid.String(),
		rapid.SampledFrom([]string{
			" ", "  ", "    ", strings.Repeat(" ", 30), "\n", "\r\n", "\t", "\u00A0", "\u3000", "'s", "'ll", " don't",
			"Hello", " world", "é", "e\u0301", "\u0323\u0301", "각", "\u1112\u1161\u11AB", "\u212B", "½", "٣", "🦙",
			"👩\u200D👧", "\uFEFF", "\uFFFD", strings.Repeat("\u0301", 35), "\x00", "\u0378", "日本語",
		}),
	)), func(parts []string) string { return strings.Join(parts, "") })
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := text().Draw(t, "text")
		ids, err := neox().Encode(s)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := neox().Decode(ids), unicodeForm(norm.NFC)(s); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

// TestLongWord would not end in time if the cost of a word were quadratic in its length.
func TestLongWord(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	word := make([]byte, 1<<19)
	for i := range word {
		word[i] = "etaoinshrdlu"[rng.IntN(12)]
	}
	for _, s := range []string{string(word), strings.Repeat("a", 1<<17), strings.Repeat("\n", 1<<17)} {
		ids, err := neox().Encode(s)
		if err != nil || neox().Decode(ids) != s {
			t.Fatalf("%.8s…: does not come back (%v)", s, err)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	var group sync.WaitGroup
	want, err := neox().Encode("one tokenizer for all")
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		group.Go(func() {
			if got, err := neox().Encode("one tokenizer for all"); err != nil || !slices.Equal(got, want) {
				t.Errorf("got %v (%v), want %v", got, err, want)
			}
		})
	}
	group.Wait()
}

func BenchmarkEncode(b *testing.B) {
	rng := rand.New(rand.NewPCG(2, 0))
	zipf := rand.NewZipf(rng, 1.1, 1, 50000) // how often words occur
	var words, word strings.Builder
	for words.Len() < 1<<20 {
		data, _ := neox().Bytes(int32(zipf.Uint64()) + 200)
		words.WriteString(strings.ToValidUTF8(string(data), " "))
	}
	for word.Len() < 1<<20 {
		word.WriteByte("etaoinshrdlu"[rng.IntN(12)])
	}
	for name, s := range map[string]string{"words": words.String(), "one-word": word.String()} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			for b.Loop() {
				if _, err := neox().Encode(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
