package corpus

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/mmrun/mmrun/tokenizer"
)

// alphabet is how a tokenizer.json writes bytes: printable ones as they are, the others from U+0100 on.
func alphabet() []string {
	var out []string
	moved := 0
	for b := range 256 {
		if '!' <= b && b <= '~' || 0xa1 <= b && b <= 0xac || 0xae <= b {
			out = append(out, string(rune(b)))
			continue
		}
		out = append(out, string(rune(256+moved)))
		moved++
	}
	return out
}

// merges make words of letters, runs of spaces and of newlines, and a token across a space.
var merges = [][2]string{
	{"t", "h"}, {"th", "e"}, {"Ġ", "the"}, {"Ġ", "t"}, {"a", "n"}, {"an", "d"}, {"Ġ", "and"}, {"Ġ", "Ġ"}, {"ĠĠ", "ĠĠ"}, {"Ċ", "Ċ"}, {"the", "Ġt"},
}

// parse returns a byte-level tokenizer; around is put before and after every text.
func parse(t testing.TB, regex, prefix bool, around string) *tokenizer.Tokenizer {
	t.Helper()
	vocab, list := map[string]int{}, []string{}
	for b, c := range alphabet() {
		vocab[c] = b
	}
	for _, m := range merges {
		vocab[m[0]+m[1]] = len(vocab)
		list = append(list, m[0]+" "+m[1])
	}
	file := map[string]any{
		"added_tokens":  []any{map[string]any{"id": len(vocab), "content": "<end>", "special": true}},
		"pre_tokenizer": map[string]any{"type": "ByteLevel", "add_prefix_space": prefix, "use_regex": regex},
		"decoder":       map[string]any{"type": "ByteLevel"},
		"model":         map[string]any{"type": "BPE", "vocab": vocab, "merges": list},
	}
	if around != "" {
		var template []any
		for _, part := range strings.Fields(around) {
			if part == "$A" {
				template = append(template, map[string]any{"Sequence": map[string]any{"id": "A", "type_id": 0}})
				continue
			}
			template = append(template, map[string]any{"SpecialToken": map[string]any{"id": part, "type_id": 0}})
		}
		file["post_processor"] = map[string]any{"type": "TemplateProcessing", "single": template, "pair": template,
			"special_tokens": map[string]any{"<end>": map[string]any{"id": "<end>", "ids": []int{len(vocab)}, "tokens": []string{"<end>"}}}}
	}
	data, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Parse("tiny.json", data)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// all reads a text in pieces of some bytes and says in how many.
func all(tok *tokenizer.Tokenizer, from io.Reader, piece int) (ids []int32, pieces int, err error) {
	r := New("text", from, Plain(tok))
	r.piece = piece
	for {
		more, err := r.Next()
		if errors.Is(err, io.EOF) {
			return ids, pieces, nil
		}
		if err != nil {
			return nil, 0, err
		}
		ids = append(ids, more...)
		pieces++
	}
}

// TestPiecesAreTheWhole: wherever a text is divided, its tokens are those of the whole text.
func TestPiecesAreTheWhole(t *testing.T) {
	for _, test := range []struct {
		name          string
		regex, prefix bool
	}{{"words", true, false}, {"prefix", true, true}, {"no words", false, false}} {
		tok := parse(t, test.regex, test.prefix, "")
		t.Run(test.name, rapid.MakeCheck(func(t *rapid.T) {
			part := rapid.SampledFrom([]string{"the", " the", "and", " and ", " ", "  ", "\n", "\n\n", "x", "é", "日本", "🙂", ".", "'s", "7", "<end>"})
			text := "a" + strings.Join(rapid.SliceOfN(part, 800, 1200).Draw(t, "parts"), "")
			want, err := tok.EncodeWith(text, tokenizer.Options{Continues: true})
			if err != nil {
				t.Fatal(err)
			}
			got, pieces, err := all(tok, iotest.OneByteReader(strings.NewReader(text)), 700)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%d tokens in pieces, %d in one", len(got), len(want))
			}
			if pieces < 2 {
				t.Fatalf("%d bytes in %d pieces", len(text), pieces)
			}
		}))
	}
}

// TestAroundATextIsLeftOut: what a post-processor adds comes neither once nor with every piece.
func TestAroundATextIsLeftOut(t *testing.T) {
	plain := parse(t, true, false, "")
	text := strings.Repeat("the and a ", 300)
	want, err := plain.Encode(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, around := range []string{"<end> $A", "$A <end>", "<end> $A <end>"} {
		got, _, err := all(parse(t, true, false, around), strings.NewReader(text), 700)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d tokens, want %d", around, len(got), len(want))
		}
	}
}

func TestNothing(t *testing.T) {
	got, _, err := all(parse(t, true, false, ""), strings.NewReader(""), 700)
	if err != nil || got != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestBadText(t *testing.T) {
	broken := errors.New("broken disk")
	for _, test := range []struct {
		from io.Reader
		says string
	}{
		{strings.NewReader(strings.Repeat("the ", 500) + "\xff and"), "text: not UTF-8 at byte 2000"},
		{strings.NewReader(strings.Repeat("the ", 500) + "\xe6\x97"), "text: not UTF-8 at byte 2000"},
		{iotest.ErrReader(broken), "text: broken disk"},
	} {
		if _, _, err := all(parse(t, true, false, ""), test.from, 700); err == nil || err.Error() != test.says {
			t.Errorf("got %v, want %s", err, test.says)
		}
	}
}

// TestMemoryStays: what a Reader holds of a text does not grow with it.
func TestMemoryStays(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var text strings.Builder
	for text.Len() < 1<<20 {
		fmt.Fprintf(&text, "%d the ", rng.Uint32())
	}
	r := New("text", strings.NewReader(text.String()), Plain(parse(t, true, false, "")))
	var err error
	for err == nil {
		_, err = r.Next()
		if cap(r.text) > 4*pieceBytes {
			t.Fatalf("%d bytes held", cap(r.text))
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}
