package tokenizer

import (
	"encoding/json"
	"os"
	"testing"
)

// TestLikeHuggingFace holds small tokenizers of many kinds against what Hugging Face's own library (0.23.2) makes of them.
func TestLikeHuggingFace(t *testing.T) {
	data, err := os.ReadFile("testdata/hf-kinds.json")
	if err != nil {
		t.Fatal(err)
	}
	var kinds []struct {
		Name      string
		Tokenizer json.RawMessage
		Vectors   []struct {
			Text    string
			IDs     []int32
			Decoded string
		}
	}
	if err := json.Unmarshal(data, &kinds); err != nil || len(kinds) == 0 {
		t.Fatalf("%d kinds (%v)", len(kinds), err)
	}
	for _, k := range kinds {
		tok, err := Parse(k.Name, k.Tokenizer)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, v := range k.Vectors {
			check(t, k.Name, tok, v.Text, Options{NoSpecial: true}, v.IDs)
			if got := tok.Decode(v.IDs); got != v.Decoded {
				t.Errorf("%s: %v is %q, want %q", k.Name, v.IDs, got, v.Decoded)
			}
		}
	}
}
