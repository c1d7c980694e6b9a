package tokenizer

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseErrors(t *testing.T) {
	model := func(field string, value any) fields {
		m := tinyModel([][2]string{{"a", "b"}})
		m[field] = value
		return fields{"model": toJSON(m)}
	}
	vocab := func(token string, id int) fields {
		m := tinyModel(nil)
		m["vocab"].(map[string]int)[token] = id
		return fields{"model": toJSON(m)}
	}
	added := func(tokens string) fields { return fields{"added_tokens": tokens} }
	tests := []struct {
		over fields
		want string
	}{
		{fields{"model": "null"}, "model: is missing"},
		{fields{"model": "7"}, "model: is a JSON number, not an object"},
		{model("type", "WordPiece"), `model.type: "WordPiece" is not supported, only BPE and Unigram`},
		{fields{"model": `{"vocab":{"a":0}}`}, `model.type: "" is not supported`},
		{model("dropout", 0.1), "model.dropout: 0.1 is not supported"},
		{model("continuing_subword_prefix", "##"), `model.continuing_subword_prefix: "##"`},
		{model("end_of_word_suffix", "</w>"), `model.end_of_word_suffix: "</w>"`},
		{model("byte_fallback", "yes"), "model.byte_fallback: is a JSON string, not true or false"},
		{model("vocab", nil), "model.vocab: is missing or empty"},
		{model("vocab", []int{1}), "model.vocab: is a JSON array, not an object"},
		{model("vocab", map[string]string{"a": "b"}), "model.vocab: is a JSON string, not a whole number"},
		{model("vocab", map[string]float64{"a": 0.5}), "model.vocab: is a JSON number 0.5, not a whole number"},
		{vocab("x", 7), "the id 7 of another token"},
		{vocab("x", -1), `model.vocab: id -1 of "x" is outside 0 to 65791`},
		{vocab("x", 1<<40), `model.vocab: id 1099511627776 of "x" is outside`},
		{model("merges", []string{"a b", "ab"}), `model.merges[1]: "ab" is not two tokens`},
		{model("merges", []string{"a b c"}), `model.merges[0]: "a b c" is not two tokens`},
		{model("merges", []string{"a c"}), `model.merges[0]: "a" and "c" or what they make is not in model.vocab`},
		{model("merges", [][]string{{"a", "b"}, {"a"}}), `model.merges[1]: ["a"] is not a pair`},
		{model("merges", []any{"a b", []string{"a", "b"}}), "model.merges: is neither"},
		{model("merges", 3), "model.merges: is neither"},
		{added(`[{"content":"x"}]`), "added_tokens[0].id: is missing"},
		{added(`[{"id":300,"content":"xx"},{"id":70000,"content":"yy"}]`), `added_tokens[1].id: id 70000 of "yy" is outside`},
		{added(`{}`), "added_tokens: is a JSON object, not an array"},
		{model("unk_token", "<none>"), `model.unk_token: "<none>" is not in model.vocab`},
		{fields{"model": `{"type":"Unigram","vocab":{"a":1}}`}, "model.vocab: is not an array"},
		{fields{"model": `{"type":"Unigram","vocab":[["a",0],["b"],["c",null]]}`}, "model.vocab[1]: is not a token and its score"},
		{fields{"model": `{"type":"Unigram","vocab":[["a",0]],"unk_id":1}`}, "model.unk_id: 1 is outside 0 to 0"},
		{fields{"model": `{"type":"Unigram","vocab":[["",0]]}`}, "model.vocab: a token is empty"},
	}
	for _, test := range tests {
		_, err := Parse("dir/tokenizer.json", tiny(nil, test.over))
		checkError(t, err, test.want)
	}
	for data, want := range map[string]string{
		"":             "broken JSON at byte 0",
		`{"model": }`:  "broken JSON at byte 11",
		`{} {}`:        "broken JSON at byte 4",
		`[]`:           "the file holds a JSON array, not an object",
		`{"model":{}}`: "model.type",
		`null`:         "model: is missing",
	} {
		_, err := Parse("dir/tokenizer.json", []byte(data))
		checkError(t, err, want)
	}
}

// TestPipelineErrors: what is wrong around the model is named with its field.
func TestPipelineErrors(t *testing.T) {
	template := func(single, special string) fields {
		return fields{"post_processor": `{"type":"TemplateProcessing","single":[` + single + `],"special_tokens":{` + special + `}}`}
	}
	split := func(rest string) fields {
		return fields{"pre_tokenizer": `{"type":"Sequence","pretokenizers":[{"type":"Split",` + rest + `},{"type":"ByteLevel","add_prefix_space":false}]}`}
	}
	const level = `{"type":"ByteLevel","add_prefix_space":false}`
	tests := []struct {
		over fields
		want string
	}{
		{fields{"normalizer": `{"type":"BertNormalizer"}`}, `normalizer.type: "BertNormalizer" is not supported, only NFC`},
		{fields{"normalizer": `{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Titlecase"}]}`},
			`normalizer.normalizers[1].type: "Titlecase" is not supported`},
		{fields{"normalizer": `{"type":"Replace","content":"x"}`}, "normalizer.pattern: is missing"},
		{fields{"normalizer": `{"type":"Replace","pattern":{"String":"x"}}`}, "normalizer.content: is missing"},
		{fields{"normalizer": `{"type":"Precompiled","precompiled_charsmap":"AAAA"}`}, "normalizer.precompiled_charsmap: is shorter"},
		{fields{"normalizer": `{"type":"Precompiled","precompiled_charsmap":"/////w=="}`}, "normalizer.precompiled_charsmap: has a trie that reaches beyond its end"},
		{fields{"pre_tokenizer": `{"type":"Metaspace","replacement":"ab"}`}, `pre_tokenizer.replacement: "ab" is not one character`},
		{fields{"pre_tokenizer": `{"type":"Metaspace","prepend_scheme":"last"}`}, `pre_tokenizer.prepend_scheme: "last" is not supported`},
		{fields{"pre_tokenizer": `{"type":"CharDelimiterSplit"}`}, `pre_tokenizer.delimiter: "" is not one character`},
		{fields{"pre_tokenizer": `{"type":"ByteLevel"}`}, "pre_tokenizer.add_prefix_space: is missing"},
		{fields{"pre_tokenizer": `{"type":"Sequence","pretokenizers":[` + level + `,` + level + `]}`},
			"pre_tokenizer.pretokenizers[1]: is a second ByteLevel"},
		{fields{"pre_tokenizer": `{"type":"Sequence","pretokenizers":[{"type":"BertPreTokenizer"},` + level + `]}`},
			`pre_tokenizer.pretokenizers[0].type: "BertPreTokenizer" is not supported`},
		{split(`"behavior":"Isolated"`), "pre_tokenizer.pretokenizers[0].pattern: is missing"},
		{split(`"behavior":"Isolated","pattern":{}`), "pretokenizers[0].pattern: is missing"},
		{split(`"pattern":{"String":"x"}`), `pretokenizers[0].behavior: "" is not supported`},
		{split(`"behavior":"Isolated","pattern":{"Regex":"(\nx"}`), `pretokenizers[0].pattern: "(\nx": a group is not closed`},
		{split(`"behavior":"Isolated","pattern":{"Regex":"a\\X"}`), `"a\\X": \X is not supported`},
		{split(`"behavior":"Isolated","pattern":{"Regex":"[a"}`), `"[a": a set is not closed`},
		{split(`"behavior":"Isolated","pattern":{"Regex":"\\p{Klingon}"}`), `the class "Klingon" is not known`},
		{split(`"behavior":"Isolated","pattern":{"Regex":"(?~a)"}`), `the group "(?~a)" is not supported`},
		{split(`"behavior":"Isolated","pattern":{"Regex":"a|+"}`), `+ has nothing to repeat`},
		{fields{"post_processor": `{"type":"Lost"}`}, `post_processor.type: "Lost" is not supported`},
		{fields{"post_processor": `{"type":"RobertaProcessing","cls":["a"],"sep":["b",98]}`}, "post_processor.cls: is not a token and its id"},
		{fields{"post_processor": `{"type":"RobertaProcessing","cls":["a",97],"sep":["b",998]}`}, "post_processor.sep: is not a token and its id"},
		{template("", ""), "post_processor.single: has the text 0 times"},
		{template(`{"Sequence":{"id":"A"}},{"Sequence":{"id":"A"}}`, ""), "post_processor.single: has the text 2 times"},
		{template(`{}`, ""), "post_processor.single[0]: is neither"},
		{template(`{"SpecialToken":{"id":"<s>"}}`, ""), `post_processor.single[0]: "<s>" is not in special_tokens`},
		{template(`{"SpecialToken":{"id":"<s>"}}`, `"<s>":{"ids":[999]}`), `post_processor.single[0]: id 999 of "<s>" is no token`},
		{template(`{"SpecialToken":{"id":"<s>"}}`, `"<s>":{"ids":[4294967296]}`), "id 4294967296"},
		{fields{"decoder": `{"type":"CTC"}`}, `decoder.type: "CTC" is not supported`},
		{fields{"decoder": `{"type":"Strip","content":"ab"}`}, `decoder.content: "ab" is not one character`},
		{fields{"decoder": `{"type":"Strip","content":"a","start":-1}`}, "decoder.start: -1 is outside 0 to 1024"},
	}
	for _, test := range tests {
		_, err := Parse("dir/tokenizer.json", tiny(nil, test.over))
		checkError(t, err, test.want)
	}
}

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %q", want)
		return
	}
	if s := err.Error(); !strings.HasPrefix(s, "dir/tokenizer.json: ") || !strings.Contains(s, want) || strings.Contains(s, "\n") {
		t.Errorf("got %q, want %q", s, want)
	}
}

// rich is a small tokenizer.json with something in every field.
func rich() []byte {
	model := tinyModel([][2]string{{"a", "b"}, {"Ġ", "ab"}})
	model["vocab"] = map[string]int{"a": 0, "b": 1, "ab": 2, "Ġ": 3, "Ġab": 4}
	return tiny(nil, fields{
		"model":          toJSON(model),
		"normalizer":     `{"type":"Sequence","normalizers":[{"type":"NFC"}]}`,
		"added_tokens":   `[{"id":5,"content":"<s>","special":true,"lstrip":true},{"id":6,"content":"  ","normalized":true}]`,
		"pre_tokenizer":  `{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\p{N}{1,3}|(?=x)"},"behavior":"Isolated","invert":true},{"type":"ByteLevel","add_prefix_space":true},{"type":"Digits","individual_digits":true}]}`,
		"post_processor": `{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}],"special_tokens":{"<s>":{"ids":[5]}}}`,
	})
}

// use parses data and, where that works, encodes and decodes. Nothing may panic.
func use(data []byte, text string) {
	tok, err := Parse("fuzz.json", data)
	if err != nil {
		return
	}
	ids, err := tok.Encode(text)
	if err == nil {
		tok.Decode(ids)
	}
}

func TestMutatedFilesDoNotPanic(t *testing.T) {
	mustParse(t, rich())
	fragments := []string{"null", "-1", "{}", "[]", `""`, "1e99", "true", `"Sequence"`, "\x00", "\\", `"ab"`, "4294967296", "}", ","}
	rapid.Check(t, func(t *rapid.T) {
		data := rich()
		for range rapid.IntRange(1, 4).Draw(t, "edits") {
			at := rapid.IntRange(0, len(data)-1).Draw(t, "at")
			cut := min(at+rapid.IntRange(0, 8).Draw(t, "cut"), len(data))
			with := rapid.OneOf(rapid.SampledFrom(fragments), rapid.StringN(0, 4, -1)).Draw(t, "with")
			data = []byte(string(data[:at]) + with + string(data[cut:]) + " ")
		}
		use(data, "ab <s>  ab 12é")
	})
}
