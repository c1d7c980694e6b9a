package tokenizer

import (
	"encoding/json"
	"maps"
	"testing"
)

// fields are the top-level fields of a tokenizer.json as JSON.
type fields map[string]string

// tiny returns a tokenizer.json whose ids 0 to 255 are the bytes, followed by a token for every
// merge in order, with fields put over the plainest ones.
func tiny(merges [][2]string, over fields) []byte {
	f := fields{
		"added_tokens":  "[]",
		"normalizer":    "null",
		"pre_tokenizer": `{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}`,
		"decoder":       `{"type":"ByteLevel"}`,
		"model":         toJSON(tinyModel(merges)),
	}
	maps.Copy(f, over)
	raw := map[string]json.RawMessage{}
	for name, text := range f {
		raw[name] = json.RawMessage(text)
	}
	return []byte(toJSON(raw))
}

// tinyModel returns the field model of tiny.
func tinyModel(merges [][2]string) map[string]any {
	vocab := map[string]int{}
	for b, c := range charOf {
		vocab[string(c)] = b
	}
	list := []string{}
	for _, m := range merges {
		list = append(list, m[0]+" "+m[1])
		if _, ok := vocab[m[0]+m[1]]; !ok {
			vocab[m[0]+m[1]] = len(vocab)
		}
	}
	return map[string]any{"type": "BPE", "vocab": vocab, "merges": list}
}

func toJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func mustParse(t testing.TB, data []byte) *Tokenizer {
	t.Helper()
	tok, err := Parse("tiny.json", data)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// pieces returns the text of the tokens of text, one by one.
func pieces(t testing.TB, tok *Tokenizer, text string) []string {
	t.Helper()
	ids, err := tok.Encode(text)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(ids))
	for i, id := range ids {
		data, ok := tok.Bytes(id)
		if !ok {
			t.Fatalf("%q: no token %d", text, id)
		}
		out[i] = string(data)
	}
	return out
}
