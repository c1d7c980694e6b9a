package tokenizer

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// TestVectors holds published tokenizers, or small ones of their kind, against what Hugging Face's
// tokenizers make of many texts.
func TestVectors(t *testing.T) {
	for _, name := range []string{"falcon-like", "llama2", "llama3-small"} {
		tok, err := Parse(name+".json", unzip("testdata/"+name+".json.gz"))
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile("testdata/" + name + "-vectors.json")
		if err != nil {
			t.Fatal(err)
		}
		var vectors []struct {
			Text, Decoded string
			IDs           []int32
			WithSpecial   []int32 `json:"ids_with_special"`
		}
		if err := json.Unmarshal(data, &vectors); err != nil || len(vectors) == 0 {
			t.Fatalf("%s: %d vectors (%v)", name, len(vectors), err)
		}
		for _, v := range vectors {
			check(t, name, tok, v.Text, Options{NoSpecial: true}, v.IDs)
			check(t, name, tok, v.Text, Options{}, v.WithSpecial)
			if got := tok.DecodeAll(v.IDs); got != v.Decoded {
				t.Errorf("%s: %v decodes to %q, want %q", name, v.IDs, got, v.Decoded)
			}
		}
	}
}

func check(t *testing.T, name string, tok *Tokenizer, text string, o Options, want []int32) {
	t.Helper()
	if got, err := tok.EncodeWith(text, o); err != nil || !slices.Equal(got, want) {
		t.Errorf("%s: %q: got %v (%v), want %v", name, text, got, err, want)
	}
}

// TestCases are small files that stand for a kind of file each, with what Hugging Face makes of a text.
func TestCases(t *testing.T) {
	tests := []struct {
		name, text string
		want       []int32
	}{
		{"added-other-id", "in the bar<|endoftext|>", []int32{259, 32, 258, 32, 261, 271}},
		{"added-twice", "in<a>the", []int32{259, 272, 258}},
		{"bloom-pattern", "the foo, bar! the (in|bar) abc。12", []int32{258, 32, 263, 44, 32, 261, 33, 32, 258, 32, 40, 259, 124, 261, 41, 32, 270, 227, 128, 130, 266}},
		{"byte-fallback-bytelevel", "the é foo", []int32{258, 32, 195, 169, 32, 263}},
		{"interval-no-minimum", "llo the the lo thhe", []int32{108, 108, 111, 32, 258, 32, 258, 32, 108, 111, 32, 256, 257}},
		{"metaspace-first", "the</s>the in</s> the", []int32{3, 2, 11, 12, 5, 8, 2, 3}},
		{"nested-set", "the foo_bar abcxyz barbar in]", []int32{116, 104, 101, 32, 102, 111, 111, 95, 260, 114, 32, 270, 120, 121, 122, 32, 260, 114, 260, 114, 32, 105, 110, 93}},
		{"normalizers", "  THÉ   Bar\tin  ", []int32{258, 32, 261, 32, 259}},
		{"possessive", "Hello 12345", []int32{72, 448, 111, 32, 816, 51, 52, 53}},
		{"unigram", "the in there hint int zz the", []int32{3, 8, 17, 13, 8, 11, 6, 0, 3}},
		{"unk-byte", "in é the", []int32{259, 32, 271, 271, 32, 258}},
	}
	for _, test := range tests {
		check(t, test.name, loadCase(t, test.name), test.text, Options{}, test.want)
	}
}

func loadCase(t *testing.T, name string) *Tokenizer {
	t.Helper()
	tok, err := Load("testdata/cases/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestByteRuns: a row of tokens for bytes that is not UTF-8 as a whole is U+FFFD for each of its bytes,
// also those that would have been a character.
func TestByteRuns(t *testing.T) {
	tok := loadCase(t, "byte-run-decode")
	for _, test := range []struct {
		ids  []int32
		want string
	}{
		{[]int32{3, 229, 133, 175, 229, 133, 262}, "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD "},
		{[]int32{243, 162, 262}, "\uFFFD\uFFFD "},
		{[]int32{259, 131, 259}, "the\uFFFD the"},
	} {
		if got := tok.Decode(test.ids); got != test.want {
			t.Errorf("%v: got %q, want %q", test.ids, got, test.want)
		}
	}
}
