package tokenizer

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"
)

func TestStream(t *testing.T) {
	tok := mustParse(t, tiny(nil, fields{"added_tokens": `[{"id":256,"content":"<s>","special":true}]`}))
	const (
		eos  = 256
		none = 999
	)
	tests := []struct {
		ids  []int32
		want string // what each push returns, then what Flush returns
	}{
		{[]int32{'a', 'b'}, "a|b|"},
		{[]int32{0xC3, 0xA9}, "|é|"},
		{[]int32{0xF0, 0x9F, 0xA6, 0x99, '!'}, "|||🦙|!|"},
		{[]int32{0xE2, 0x82}, "||\uFFFD"},
		{[]int32{0xE2, 0x82, 'x'}, "||\uFFFDx|"},
		{[]int32{0xE2, 0xE2, 0x82, 0xAC}, "|\uFFFD||€|"},
		{[]int32{0xFF, 0x80, 'x'}, "\uFFFD|\uFFFD|x|"},
		{[]int32{0xED, 0xA0, 0x80}, "|\uFFFD\uFFFD|\uFFFD|"}, // a surrogate
		{[]int32{0xF4, 0x90}, "|\uFFFD\uFFFD|"},              // beyond U+10FFFF
		{[]int32{0xF0, 0x90, 0x80, 'x'}, "|||\uFFFDx|"},
		{[]int32{0xC3, eos, 0xA9}, "||é|"},
		{[]int32{0xC3, none, -1, 0xA9}, "|||é|"},
		{[]int32{eos}, "|"},
	}
	for _, test := range tests {
		s := tok.NewStream()
		for range 2 { // Flush makes the stream new
			var got []string
			for _, id := range test.ids {
				got = append(got, s.Push(id))
			}
			got = append(got, s.Flush())
			if strings.Join(got, "|") != test.want {
				t.Errorf("%x: got %q, want %q", test.ids, got, test.want)
			}
		}
	}
}

// TestStreamAndDecode holds both against x/text's decoder, for tokens that cut characters anywhere.
func TestStreamAndDecode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOf(rapid.OneOf(
			rapid.Int32Range(2, 300), // single bytes first of all
			rapid.Int32Range(-1, 50300),
		)).Draw(t, "ids")
		var raw []byte
		var streamed strings.Builder
		s := neox().NewStream()
		for _, id := range ids {
			if data, ok := neox().Bytes(id); ok && !neox().IsSpecial(id) {
				raw = append(raw, data...)
			}
			text := s.Push(id)
			if !utf8.ValidString(text) {
				t.Fatalf("pushed out %q", text)
			}
			streamed.WriteString(text)
		}
		streamed.WriteString(s.Flush())
		want, err := unicode.UTF8.NewDecoder().String(string(raw))
		if err != nil {
			t.Fatal(err)
		}
		if got := streamed.String(); got != want {
			t.Fatalf("streamed %q, want %q", got, want)
		}
		if got := neox().Decode(ids); got != want {
			t.Fatalf("decoded %q, want %q", got, want)
		}
	})
}
