package tokenizer

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// naive merges the way byte-pair encoding is defined: the pair of the lowest rank, the leftmost
// of equals, until none is left.
func naive(b *bpe, word string) []int32 {
	var ids []int32
	for i := range len(word) {
		ids = append(ids, b.bytes[word[i]])
	}
	for {
		best, at := merge{rank: 1 << 30}, -1
		for i := range len(ids) - 1 {
			if m, ok := b.merges[pair{ids[i], ids[i+1]}]; ok && m.rank < best.rank {
				best, at = m, i
			}
		}
		if at < 0 {
			return ids
		}
		ids = slices.Replace(ids, at, at+2, best.id)
	}
}

func TestMergeIsTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Merges of whatever tokens there are so far, over three letters.
		tokens := []string{"a", "b", "c"}
		var merges [][2]string
		for range rapid.IntRange(0, 12).Draw(t, "merges") {
			m := [2]string{rapid.SampledFrom(tokens).Draw(t, "left"), rapid.SampledFrom(tokens).Draw(t, "right")}
			if len(m[0]+m[1]) <= 8 {
				merges = append(merges, m)
				tokens = append(tokens, m[0]+m[1])
			}
		}
		tok, err := Parse("tiny.json", tiny(merges, nil))
		if err != nil {
			t.Fatal(err)
		}
		word := rapid.StringOfN(rapid.SampledFrom([]rune("abc")), 1, 40, -1).Draw(t, "word")
		got, err := tok.Encode(word)
		b := tok.model.(*bpe)
		want := naive(b, word)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("got %v (%v), want %v", got, err, want)
		}
		e := newEncoder(b, 0)
		share := rapid.IntRange(1, 50).Draw(t, "share")
		if err := b.mergeHuge(e, word, share); err != nil || !slices.Equal(e.ids, want) {
			t.Fatalf("with a share of %d: got %v (%v), want %v", share, e.ids, err, want)
		}
	})
}

func TestIgnoreMerges(t *testing.T) {
	model := tinyModel([][2]string{{"a", "b"}})
	model["vocab"].(map[string]int)["Ġabc"] = 257
	plain := mustParse(t, tiny(nil, fields{"model": toJSON(model)}))
	model["ignore_merges"] = true
	whole := mustParse(t, tiny(nil, fields{"model": toJSON(model)}))
	tests := []struct {
		tok  *Tokenizer
		text string
		want []string
	}{
		{plain, "ab abc", []string{"ab", " ", "ab", "c"}},
		{whole, "ab abc", []string{"ab", " abc"}},
		{whole, " abca", []string{" ", "ab", "c", "a"}},
	}
	for _, test := range tests {
		if got := pieces(t, test.tok, test.text); !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q, want %q", test.text, got, test.want)
		}
	}
}

func TestMergesAsPairs(t *testing.T) {
	model := tinyModel([][2]string{{"a", "b"}, {"ab", "c"}})
	joined := mustParse(t, tiny(nil, fields{"model": toJSON(model)}))
	model["merges"] = [][2]string{{"a", "b"}, {"ab", "c"}}
	pairs := mustParse(t, tiny(nil, fields{"model": toJSON(model)}))
	for _, tok := range []*Tokenizer{joined, pairs} {
		if got := pieces(t, tok, "abcab"); !slices.Equal(got, []string{"abc", "ab"}) {
			t.Errorf("got %q", got)
		}
	}
}

// TestModelWithoutType: early files of Hugging Face name no type.
func TestModelWithoutType(t *testing.T) {
	model := tinyModel([][2]string{{"a", "b"}})
	delete(model, "type")
	tok := mustParse(t, tiny(nil, fields{"model": toJSON(model)}))
	if got := pieces(t, tok, "ab"); !slices.Equal(got, []string{"ab"}) {
		t.Errorf("got %q", got)
	}
}
