package tokenizer

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// spModels are tokenizer.model files of 600 pieces: bpe with tokens for bytes, bpe2 with tokens of the
// user's and a table of replacements, uni2 a unigram model with all of that and without a space in front.
var spModels = []string{"bpe", "bpe2", "uni2"}

func parseModel(t testing.TB, name string) *Tokenizer {
	t.Helper()
	tok, err := ParseModel(name, unzip("testdata/sentencepiece/"+name+".model.gz"))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestModelVectors holds tokenizer.model files against SentencePiece itself.
func TestModelVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/sentencepiece/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors map[string][]struct {
		Text string
		IDs  []int32
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, name := range spModels {
		tok := parseModel(t, name)
		if len(vectors[name]) == 0 {
			t.Errorf("%s: no vectors", name)
		}
		for _, v := range vectors[name] {
			check(t, name, tok, v.Text, Options{NoSpecial: true}, v.IDs)
		}
	}
}

// TestModelBeginning: a text begins with <s> and a space, one that goes on with neither.
func TestModelBeginning(t *testing.T) {
	tok := parseModel(t, "bpe")
	whole, err := tok.Encode("the sea the sea")
	if err != nil {
		t.Fatal(err)
	}
	if bos, _ := tok.ID("<s>"); whole[0] != bos {
		t.Errorf("%v does not begin with %d", whole, bos)
	}
	first, err := tok.EncodeWith("the sea", Options{NoEnd: true})
	if err != nil {
		t.Fatal(err)
	}
	check(t, "going on", tok, " the sea", Options{Continues: true}, whole[len(first):])
	if got := tok.Decode(whole); got != "the sea the sea" {
		t.Errorf("decodes to %q", got)
	}
	s := tok.ContinueStream()
	text := ""
	for _, id := range whole[len(first):] {
		text += s.Push(id)
	}
	if text += s.Flush(); text != " the sea" {
		t.Errorf("goes on with %q", text)
	}
}

func TestModelErrors(t *testing.T) {
	piece := func(s string) string { return "\x0A" + string(rune(len(s)+2)) + "\x0A" + string(rune(len(s))) + s }
	for data, want := range map[string]string{
		"":                                  "there are no tokens",
		"{}":                                "a field is cut off or broken",
		"\x0A\x7F":                          "a field is cut off or broken",
		piece("a") + "\x12\x02\x18\x03":     "trainer_spec.model_type: 3 is not supported",
		piece("a") + piece("a"):             `token 1: "a" is token 0, too`,
		piece("a") + "\x1A\x03\x12\x01a":    "normalizer_spec.precompiled_charsmap: is shorter",
		piece("a") + "\x12\x03\xC0\x01\x01": "trainer_spec.treat_whitespace_as_suffix: is not supported",
	} {
		_, err := ParseModel("dir/tokenizer.model", []byte(data))
		if err == nil || !strings.HasPrefix(err.Error(), "dir/tokenizer.model: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", data, err, want)
		}
	}
}
