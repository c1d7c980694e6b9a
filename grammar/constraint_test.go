package grammar

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestMasksAreWhatCanBeRead: the tokens that may come are those after which the text can go on, in grammars as they
// come, at every place of a text.
func TestMasksAreWhatCanBeRead(t *testing.T) {
	pieces := [][]byte{nil, []byte("a"), []byte("b"), []byte("ab"), []byte("ba"), []byte("aa"), []byte("\xc3"), []byte("\xa9"),
		[]byte("aé"), []byte("bbb"), nil, []byte("é"), []byte("a"), []byte("abab")}
	v := NewVocabulary(pieces, []int32{0}, nil)
	rapid.Check(t, func(t *rapid.T) {
		r := &rules{}
		n := rapid.IntRange(1, 3).Draw(t, "rules")
		for i := range n {
			r.rule(string(rune('a' + i)))
		}
		for i := range n {
			r.bodies[i] = drawExpr(t, 3, i, n)
		}
		g, err := compile(r, 0)
		if err != nil {
			t.Fatal(err)
		}
		c, err := g.Constraint(v)
		if err != nil {
			t.Fatal(err)
		}
		allow := make([]bool, len(pieces))
		text := ""
		for range 8 {
			if err := c.Allowed(allow); err != nil {
				t.Fatal(err)
			}
			var may []int32
			for id, piece := range pieces {
				now := reading{}
				if len(piece) > 0 {
					now = walkBytes(g, text+string(piece))
				}
				want := len(piece) > 0 && now.began == len(text)+len(piece)
				if id == 0 {
					want = walkBytes(g, text).whole
				}
				if allow[id] != want {
					t.Fatalf("after %q token %d, %q: %v, want %v", text, id, piece, allow[id], want)
				}
				if !want {
					if err := c.Accept(int32(id)); err == nil {
						t.Fatalf("after %q token %d, %q, was taken", text, id, piece)
					}
				} else if id > 0 {
					may = append(may, int32(id))
				}
			}
			if len(may) == 0 {
				return
			}
			id := rapid.SampledFrom(may).Draw(t, "token")
			if err := c.Accept(id); err != nil {
				t.Fatal(err)
			}
			text += string(pieces[id])
		}
	})
}

// walkBytes is read without a test.
func walkBytes(g *Grammar, text string) reading {
	m := newMachine(g, 1)
	at := m.start()
	for i := range len(text) {
		m.stacks.work = mostWork // which is a token's; of an ambiguous grammar a whole text may take more
		if at = m.step(at, g.classes[text[i]]); at == nowhere {
			return reading{i, false}
		}
	}
	return reading{len(text), m.places[at].ends}
}

// follow accepts tokens, and returns what may come after them.
func follow(t *testing.T, g *Grammar, v *Vocabulary, ids ...int32) []int32 {
	t.Helper()
	c, err := g.Constraint(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if err := c.Accept(id); err != nil {
			t.Fatal(err)
		}
	}
	allow := make([]bool, len(v.pieces))
	if err := c.Allowed(allow); err != nil {
		t.Fatal(err)
	}
	var may []int32
	for id, ok := range allow {
		if ok {
			may = append(may, int32(id))
		}
	}
	return may
}

// TestTokens: a grammar may name tokens, also those that stand for no text.
func TestTokens(t *testing.T) {
	pieces := [][]byte{nil, []byte("a"), []byte("b"), nil, nil, []byte("<")}
	v := NewVocabulary(pieces, []int32{0}, map[string]int32{"<think>": 3, "</think>": 4})
	g := parse(t, "root ::= <think> thought </think> \"b\" <[1]>\nthought ::= !</think>*")
	for _, test := range []struct {
		after, want []int32
	}{
		{nil, []int32{3}},
		{[]int32{3}, []int32{1, 2, 3, 4, 5}},
		{[]int32{3, 1, 3}, []int32{1, 2, 3, 4, 5}},
		{[]int32{3, 1, 4}, []int32{2}},
		{[]int32{3, 4, 2}, []int32{1}},
		{[]int32{3, 4, 2, 1}, []int32{0}},
		{[]int32{3, 4, 2, 1, 0}, nil},
	} {
		if got := follow(t, g, v, test.after...); !slices.Equal(got, test.want) {
			t.Errorf("after %v: %v, want %v", test.after, got, test.want)
		}
	}
	for _, gbnf := range []string{`root ::= <other>`, `root ::= <[6]>`} {
		if _, err := parse(t, gbnf).Constraint(v); err == nil || !strings.Contains(err.Error(), "the model has no token") {
			t.Errorf("%s: %v", gbnf, err)
		}
	}
	if _, err := g.Constraint(NewVocabulary(pieces, nil, nil)); err == nil {
		t.Error("a vocabulary without an end token was taken")
	}
}

// TestAllowedForFewer: a model's logits may be fewer than the tokens, or more.
func TestAllowedForFewer(t *testing.T) {
	v := NewVocabulary([][]byte{[]byte("a"), []byte("b"), nil}, []int32{2}, nil)
	for _, n := range []int{1, 3, 200} {
		c, err := parse(t, `root ::= "a" | "b"`).Constraint(v)
		if err != nil {
			t.Fatal(err)
		}
		allow := slices.Repeat([]bool{true}, n)
		if err := c.Allowed(allow); err != nil {
			t.Fatal(err)
		}
		if want := append([]bool{true, true, false}, make([]bool, 197)...)[:n]; !slices.Equal(allow, want) {
			t.Errorf("of %d: %v", n, allow)
		}
	}
}

// TestMemoryIsGivenBack: what is found about places is forgotten once it is much, and the text goes on.
func TestMemoryIsGivenBack(t *testing.T) {
	v := tokens(3000)
	g := parse(t, `root ::= "[" ([ab]{1,200} ("[" [0-9]{1,90} "]"){2,90} ","?){1,9000} "]"`)
	c, err := g.Constraint(v)
	if err != nil {
		t.Fatal(err)
	}
	allow := make([]bool, 3000)
	renewed, before := -1, c.(*constraint).m
	for i, b := range []byte("[" + strings.Repeat("aabbaab[12345][6][7][01234567890]", 900)) {
		if err := c.Accept(int32(b)); err != nil {
			t.Fatalf("byte %d, %q: %v", i, b, err)
		}
		if err := c.Allowed(allow); err != nil {
			t.Fatal(err)
		}
		if m := c.(*constraint).m; m != before {
			renewed, before = renewed+1, m
		} else if m.stacks.bytes > 2*mostMemory {
			t.Fatalf("byte %d: %d bytes are kept", i, m.stacks.bytes)
		}
	}
	if renewed < 1 {
		t.Errorf("%d bytes are kept, and nothing was forgotten", before.stacks.bytes)
	}
}

// TestTooAmbiguous: a text that is too much work is an error, and the constraint is as before.
func TestTooAmbiguous(t *testing.T) {
	c, err := parse(t, `root ::= ("a" | "b")*`).Constraint(tokens(300))
	if err != nil {
		t.Fatal(err)
	}
	k := c.(*constraint)
	if err := c.Accept('b'); err != nil {
		t.Fatal(err)
	}
	k.m.stacks.work = 0
	if err := k.failed(); !errors.Is(err, ErrTooAmbiguous) {
		t.Fatal(err)
	}
	if err := c.Accept('a'); err != nil {
		t.Error(fmt.Errorf("after it: %w", err))
	}
}
