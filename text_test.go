package mmrun_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/tokenizer"
)

// tokenizerOf is the bundled model's, whose tokens are bytes, with tokens for some words.
func tokenizerOf(t *testing.T, words ...string) *tokenizer.Tokenizer {
	t.Helper()
	tok, err := tokenizer.Parse("tokenizer.json", tokenizerFile(t, words...))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestTextStops(t *testing.T) {
	for _, test := range []struct {
		stops  []string
		pieces []string // a token each
		want   []string // after each piece, then at the end unless it stopped
	}{
		{nil, []string{"a", "b"}, []string{"a", "b", ""}},
		{[]string{"END"}, []string{"a E", "ND b"}, []string{"a ", ""}},
		{[]string{"END"}, []string{"a E", "N", "x"}, []string{"a ", "", "ENx", ""}},
		{[]string{"END"}, []string{"EE", "N", "D"}, []string{"E", "", ""}},
		{[]string{"END"}, []string{"EN"}, []string{"", "EN"}},
		{[]string{"abc", "b"}, []string{"abc"}, []string{""}},
		{[]string{"bcd", "c"}, []string{"ab", "c"}, []string{"a", "b"}},
	} {
		tok := tokenizerOf(t, slices.DeleteFunc(slices.Clone(test.pieces), func(s string) bool { return len(s) == 1 })...)
		w := mmrun.NewText(tok, test.stops)
		var got []string
		for _, piece := range test.pieces {
			ids, err := tok.Encode(piece)
			if err != nil || len(ids) != 1 {
				t.Fatalf("%q became %v (%v)", piece, ids, err)
			}
			if got = append(got, w.Add(ids[0])); w.Finish != "" {
				break
			}
		}
		if stopped := w.Finish == mmrun.FinishStop; stopped != (len(got) == len(test.want)) {
			t.Errorf("stops %q, pieces %q: finish %q", test.stops, test.pieces, w.Finish)
		}
		end := w.End(len(test.pieces), false, false)
		if w.Finish == mmrun.FinishLength {
			got = append(got, end)
		} else if end != "" {
			t.Errorf("stops %q, pieces %q: %q after the end", test.stops, test.pieces, end)
		}
		if !slices.Equal(got, test.want) || w.String() != strings.Join(got, "") {
			t.Errorf("stops %q, pieces %q: got %q, in all %q, want %q", test.stops, test.pieces, got, w.String(), test.want)
		}
	}
}

// TestTextAnyDivision: however a text is divided into tokens, it is cut at the stop string that is complete first.
func TestTextAnyDivision(t *testing.T) {
	tok := tokenizerOf(t, "ab", "ba", "aab", "cab")
	rapid.Check(t, func(t *rapid.T) {
		stops := rapid.SliceOfN(rapid.StringMatching("[ab]{1,4}"), 0, 3).Draw(t, "stops")
		tokens := rapid.SliceOfN(rapid.SampledFrom([]int32{'a', 'b', 'c', vocab, vocab + 1, vocab + 2, vocab + 3}), 0, 15).Draw(t, "tokens")
		want, text := tok.Decode(tokens), ""
		for i := range tokens {
			text = tok.Decode(tokens[:i+1])
			cut := -1
			for _, stop := range stops {
				if at := strings.Index(text, stop); at >= 0 && (cut < 0 || at < cut) {
					cut = at
				}
			}
			if cut >= 0 {
				want = text[:cut]
				break
			}
		}
		w, got := mmrun.NewText(tok, stops), ""
		for _, id := range tokens {
			if got += w.Add(id); w.Finish != "" {
				break
			}
		}
		if got += w.End(len(tokens), false, false); got != want || w.String() != want {
			t.Fatalf("got %q, %q, want %q", got, w.String(), want)
		}
	})
}

// TestTextFinish: how a text ends.
func TestTextFinish(t *testing.T) {
	tok := tokenizerOf(t)
	for _, test := range []struct {
		tokens      string
		most        int
		interrupted bool
		want        mmrun.Finish
	}{
		{"abc", 3, false, mmrun.FinishLength},
		{"abc", 4, false, mmrun.FinishEOS},
		{"", 0, false, mmrun.FinishLength},
		{"abc", 4, true, mmrun.FinishInterrupted},
		{"abS", 3, false, mmrun.FinishStop},
		{"abS", 4, false, mmrun.FinishStop},
	} {
		w := mmrun.NewText(tok, []string{"S"})
		for _, b := range []byte(test.tokens) {
			w.Add(int32(b))
		}
		if w.End(test.most, test.interrupted, false); w.Finish != test.want || len(w.Tokens) != len(test.tokens) {
			t.Errorf("%+v: finish %q, tokens %v", test, w.Finish, w.Tokens)
		}
	}
}

// TestTextCharacters: a character is written once it is whole; one that the end cuts is written broken, or left to
// the text that follows.
func TestTextCharacters(t *testing.T) {
	tok := tokenizerOf(t)
	const text = "aé\U0001f600 ü"
	for cut := range len(text) + 1 {
		goesOn, ends, got := mmrun.NewText(tok, nil), mmrun.NewText(tok, nil), ""
		var tokens []int32
		for _, b := range []byte(text[:cut]) {
			tokens = append(tokens, int32(b))
			got += goesOn.Add(int32(b))
			ends.Add(int32(b))
		}
		got += goesOn.End(cut, false, true)
		if ends.End(cut, false, false); ends.String() != tok.Decode(tokens) {
			t.Errorf("cut after %d bytes: %q, want %q", cut, ends.String(), tok.Decode(tokens))
		}
		next := mmrun.NewText(tok, nil, tokens...)
		for _, b := range []byte(text[cut:]) {
			got += next.Add(int32(b))
		}
		if got += next.End(0, false, false); got != text {
			t.Errorf("divided after %d bytes: %q, want %q", cut, got, text)
		}
	}
}

func ExampleText() {
	tok, err := tokenizer.Load(filepath.Join(bundledDir, "tokenizer.json"))
	if err != nil {
		panic(err)
	}
	text := mmrun.NewText(tok, []string{"The end"})
	for _, id := range []byte("So it was. The end of it") { // tokens of this model are bytes
		fmt.Print(text.Add(int32(id)))
		if text.Finish != "" {
			break
		}
	}
	fmt.Printf("|%s", text.Finish)
	// Output: So it was. |stop
}
