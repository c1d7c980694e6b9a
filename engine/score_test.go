package engine_test

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	. "github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/ops/ref"
)

// TestScore: the surprises are those that the golden logits give, in one call or in two.
func TestScore(t *testing.T) {
	for _, name := range []string{"mamba-odd-bf16", "memmamba-priority"} {
		dir := filepath.Join(goldenDir, name)
		g := readGolden(t, dir)
		for _, chunk := range []int{1, 48, 512} { // 48 leaves blocks that are not full
			m := openModel(t, dir, Options{Chunk: chunk})
			tokens, targets := g.tokens[:len(g.tokens)-1], g.tokens[1:]
			want := ref.NLL(g.logits, targets, len(targets), m.Sizes().Vocab)
			for _, cut := range []int{len(tokens), 37} {
				s := newState(t, m)
				got := score(t, m, s, tokens[:cut], targets[:cut])
				if cut < len(tokens) {
					got = append(got, score(t, m, s, tokens[cut:], targets[cut:])...)
				}
				if bad := far(got, want); bad != "" {
					t.Errorf("%s, chunk %d, cut at %d: %s", name, chunk, cut, bad)
				}
			}
		}
	}
}

// score collects the surprises of a call, and checks that they come in order.
func score(t *testing.T, m *Model, s *State, tokens, targets []int32) []float32 {
	t.Helper()
	var got []float32
	err := m.Score(context.Background(), s, tokens, targets, func(first int, nats []float32) error {
		if first != len(got) {
			t.Errorf("token %d after %d", first, len(got))
		}
		got = append(got, nats...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestScoreThenForward: a sequence that was scored goes on like any other.
func TestScoreThenForward(t *testing.T) {
	dir := filepath.Join(goldenDir, "memmamba-fifo")
	g, m := readGolden(t, dir), openModel(t, dir, Options{})
	s, vocab := newState(t, m), m.Sizes().Vocab
	score(t, m, s, g.tokens[:40], g.tokens[1:41])
	logits, err := s.Logits()
	if err != nil {
		t.Fatal(err)
	}
	if bad := far(logits, g.logits[39*vocab:40*vocab]); bad != "" {
		t.Error("after scoring: ", bad)
	}
	if logits, err = m.Forward(context.Background(), s, g.tokens[40:50]); err != nil {
		t.Fatal(err)
	}
	if bad := far(logits, g.logits[49*vocab:50*vocab]); bad != "" {
		t.Error(bad)
	}
}

func TestScoreRefuses(t *testing.T) {
	m := openModel(t, filepath.Join(goldenDir, "mamba-tiny"), Options{})
	s := newState(t, m)
	for _, test := range []struct {
		tokens, targets []int32
		says            string
	}{
		{[]int32{1, 2}, []int32{1}, "2 tokens and 1 targets"},
		{[]int32{1}, []int32{math.MaxInt32}, "target 0: id 2147483647 is outside the vocabulary of 256"},
		{[]int32{-1}, []int32{1}, "token 0: id -1 is outside the vocabulary of 256"},
		{nil, nil, "no tokens given"},
	} {
		err := m.Score(context.Background(), s, test.tokens, test.targets, func(int, []float32) error { return nil })
		if err == nil || err.Error() != test.says {
			t.Errorf("got %v, want %s", err, test.says)
		}
	}
}
