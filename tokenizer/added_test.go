package tokenizer

import (
	"slices"
	"strings"
	"testing"
)

func TestAddedTokens(t *testing.T) {
	merges := [][2]string{{"o", "n"}, {"on", "e"}}
	tests := []struct{ name, tokens, text, want string }{
		{"longest", `[{"id":300,"content":"ab"},{"id":301,"content":"abc"}]`, "xabcab", "x|<abc>|<ab>"},
		{"leftmost", `[{"id":300,"content":"ab"},{"id":301,"content":"bcd"}]`, "abcd", "<ab>|c|d"},
		{"longest fails late", `[{"id":300,"content":"ab"},{"id":301,"content":"abcd"}]`, "abcx", "<ab>|c|x"},
		{"words end at a token", `[{"id":300,"content":"##"}]`, "o##ne", "o|<##>|n|e"},
		{"lstrip", `[{"id":300,"content":"##","lstrip":true}]`, "a \n ##  b", "a|<##>| | |b"},
		{"rstrip", `[{"id":300,"content":"##","rstrip":true}]`, "a ## \u3000 b", "a| |<##>|b"},
		{"both, in a row", `[{"id":300,"content":"##","lstrip":true,"rstrip":true}]`, " ##  ## ", "<##>|<##>"},
		{"rstrip, and another token there", `[{"id":300,"content":"##","rstrip":true},{"id":301,"content":"  "}]`, "##   a  ", "<##>|<  >| |a|<  >"},
		{"single word", `[{"id":300,"content":"ono","single_word":true}]`, "ono,onob bono ono", "<ono>|,|on|o|b| |b|on|o| |<ono>"},
		{"single word by Unicode", `[{"id":300,"content":"ono","single_word":true}]`, "ono_ono ono\u200D", "on|o|_|on|o| |on|o|\xE2|\x80|\x8D"},
		{"normalized", `[{"id":300,"content":"e\u0301","normalized":true}]`, "ne\u0301\u00E9", "n|<e\u0301>|<e\u0301>"},
		{"not normalized", `[{"id":300,"content":"e\u0301"}]`, "ne\u0301\u00E9", "n|<e\u0301>|\xC3|\xA9"},
		{"not normalized goes first", `[{"id":300,"content":"ab","normalized":true},{"id":301,"content":"bc"}]`, "abc", "a|<bc>"},
		{"not ASCII", `[{"id":300,"content":"日本"}]`, "日本", "<日本>"},
		{"in the vocabulary too", `[{"id":257,"content":"one"}]`, "xone", "x|<one>"},
	}
	for _, test := range tests {
		tok := mustParse(t, tiny(merges, fields{"added_tokens": test.tokens, "normalizer": `{"type":"NFC"}`}))
		ids, err := tok.Encode(test.text)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, id := range ids {
			data, _ := tok.Bytes(id)
			if id >= 257 {
				data = []byte("<" + string(data) + ">")
			}
			got = append(got, string(data))
		}
		if s := strings.Join(got, "|"); s != test.want {
			t.Errorf("%s: got %q, want %q", test.name, s, test.want)
		}
	}
}

// TestAddedTokenIDs: an added token has the id that Hugging Face gives it.
func TestAddedTokenIDs(t *testing.T) {
	tok := mustParse(t, tiny([][2]string{{"a", "b"}}, fields{
		"added_tokens": `[{"id":300,"content":"<x>"},{"id":256,"content":"ab"},{"id":301,"content":"<y>"},{"id":1,"content":""},{"id":299,"content":"<z>"}]`,
	}))
	ids, err := tok.Encode("<x><y><z>ab")
	if want := []int32{257, 258, 259, 256}; err != nil || !slices.Equal(ids, want) {
		t.Errorf("got %v %v, want %v", ids, err, want)
	}
}

// TestAddedTokenBytes: every token is written in the alphabet of bytes, where all its characters are in it.
func TestAddedTokenBytes(t *testing.T) {
	tok := mustParse(t, tiny([][2]string{{"Ġ", "a"}}, fields{
		"added_tokens": `[{"id":256,"content":"Ġa"},{"id":257,"content":"Ġb"},{"id":258,"content":"<s>","special":true}]`,
	}))
	if got := tok.Decode([]int32{256, 257, 258}); got != " a b" {
		t.Errorf("got %q", got)
	}
}

func TestPostProcessor(t *testing.T) {
	const added = `[{"id":256,"content":"<s>","special":true},{"id":257,"content":"</s>","special":true}]`
	const template = `{"type":"TemplateProcessing",
		"single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"</s>","type_id":0}}],
		"pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[256],"tokens":["<s>"]},"</s>":{"id":"</s>","ids":[257,257],"tokens":["</s>"]}}}`
	tests := []struct {
		processor, text string
		want            []int32
	}{
		{"null", "a", []int32{'a'}},
		{`{"type":"ByteLevel","trim_offsets":true}`, "a", []int32{'a'}},
		{template, "a", []int32{256, 'a', 257, 257}},
		{template, "", []int32{256, 257, 257}},
		{`{"type":"Sequence","processors":[{"type":"ByteLevel"},` + template + `]}`, "a", []int32{256, 'a', 257, 257}},
	}
	for _, test := range tests {
		tok := mustParse(t, tiny(nil, fields{"added_tokens": added, "post_processor": test.processor}))
		for range 2 { // Encode must not write into the tokenizer
			if got, err := tok.Encode(test.text); err != nil || !slices.Equal(got, test.want) {
				t.Errorf("%.30s %q: got %v (%v), want %v", test.processor, test.text, got, err, test.want)
			}
		}
	}
}
