package memmamba

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mmrun/mmrun/internal/refmodel"
)

// TestSplitOfRandomModels is chunk invariance for random memories, up to the largest there may be, and random
// splits: a text in random pieces, some of them through a saved state and a model that takes other
// chunks, leaves what the text as a whole leaves.
func TestSplitOfRandomModels(t *testing.T) {
	if err := flag.Set("rapid.checks", "6"); err != nil { // each builds the kernels of two models
		t.Fatal(err)
	}
	rapid.Check(t, func(r *rapid.T) {
		c := drawMemory(r)
		dir, err := os.MkdirTemp("", "split")
		if err != nil {
			r.Fatal(err)
		}
		r.Cleanup(func() { os.RemoveAll(dir) })
		tokens := refmodel.RandomTokens(c, 1, rapid.IntRange(1, 2*c.Window+150).Draw(r, "tokens"))
		_, _, err = refmodel.WriteSeparated(dir, c, refmodel.Random{Seed: 1}, tokens, apart)
		if errors.Is(err, refmodel.ErrNotSeparated) {
			r.Skip(err) // one in 150; rapid draws another instead, and fails where it skips most
		}
		if err != nil {
			r.Fatal(err)
		}
		one := openModel(r, dir, Options{Chunk: rapid.IntRange(1, 600).Draw(r, "chunk")})
		two := openModel(r, dir, Options{Chunk: rapid.IntRange(1, 50).Draw(r, "other chunk")})
		whole := newState(r, one)
		if _, err := one.Forward(context.Background(), whole, tokens); err != nil {
			r.Fatal(err)
		}
		parts := splitBetween(r, newState(r, one), newState(r, two), tokens)
		compareStates(r, parts, whole)
		compareSaved(r, parts, whole)
	})
}

// drawMemory draws a model with a memory; one in three of its sizes is large.
func drawMemory(r *rapid.T) refmodel.Config {
	size := func(name string, small, most int) int {
		if rapid.IntRange(0, 2).Draw(r, name+" is large") == 2 {
			return rapid.IntRange(most/2, most).Draw(r, name)
		}
		return rapid.IntRange(1, small).Draw(r, name)
	}
	return small(func(c *refmodel.Config) {
		c.Vocab, c.Hidden, c.State, c.Layers = 40, 8, 4, rapid.IntRange(1, 5).Draw(r, "L")
		c.Summary, c.Pool, c.Window = size("S", 40, maxSummary), size("P", 20, maxPool), size("W", 40, maxWindow)
		c.Period = rapid.IntRange(1, c.Layers).Draw(r, "p")
		c.NoteThreshold = rapid.SampledFrom([]float64{0.5, 0, 0.4, 0.7}).Draw(r, "τ1")
		c.StateThreshold = rapid.SampledFrom([]float64{0.5, 0, 0.4, 0.6, 1}).Draw(r, "τ2")
		c.Replacement = rapid.SampledFrom([]string{"fifo", "priority"}).Draw(r, "replacement")
		c.Pooling = rapid.SampledFrom([]string{"concat", "mean", "max"}).Draw(r, "pooling")
		c.Fusion = rapid.SampledFrom([]string{"residual", "gated"}).Draw(r, "fusion")
	})
}

// splitBetween feeds tokens in random pieces, now and then going on in the other state from a saved one.
func splitBetween(r *rapid.T, now, other *State, tokens []int32) *State {
	for len(tokens) > 0 {
		n := rapid.IntRange(1, len(tokens)).Draw(r, "piece")
		if _, err := now.model.Forward(context.Background(), now, tokens[:n]); err != nil {
			r.Fatal(err)
		}
		tokens = tokens[n:]
		if rapid.Bool().Draw(r, "save") {
			data, err := now.MarshalBinary()
			if err == nil {
				err = other.UnmarshalBinary(data)
			}
			if err != nil {
				r.Fatal(err)
			}
			now, other = other, now
		}
	}
	return now
}

// compareSaved compares states as they are saved: what is counted must be equal, and every number within
// tolerance, those of pending notes among them.
func compareSaved(r rapid.TB, got, want *State) {
	r.Helper()
	a, tokensA, floatsA := openSaved(r, got)
	b, tokensB, floatsB := openSaved(r, want)
	if a != b || !slices.Equal(tokensA, tokensB) {
		r.Fatalf("saved state %+v with tokens %v, want %+v with %v", a, tokensA, b, tokensB)
	}
	if bad := far(floatsA, floatsB); bad != "" {
		r.Fatalf("saved state: %s", bad)
	}
}

// openSaved saves a state and returns the header, tokens, and all numbers of its block; whole ones,
// which are positions and reads, as they are.
func openSaved(r rapid.TB, s *State) (stateHeader, []int32, []float32) {
	r.Helper()
	data, err := s.MarshalBinary()
	if err != nil {
		r.Fatal(err)
	}
	h, body, err := s.openSaved(data)
	if err != nil {
		r.Fatal(err)
	}
	logits, tokens := make([]float32, h.Logits), make([]int32, h.Recent+h.Next)
	for _, part := range []any{logits, tokens} {
		if err := binary.Read(body, binary.LittleEndian, part); err != nil {
			r.Fatal(err)
		}
	}
	block, err := io.ReadAll(body)
	if err != nil {
		r.Fatal(err)
	}
	m := s.model.programs.layout.memory
	numbers := make([]float32, len(block)/4)
	for i := range numbers {
		word := binary.LittleEndian.Uint32(block[4*i:])
		if at := int64(4 * i); at >= m.position.at && at < m.pending.at {
			numbers[i] = float32(word)
		} else {
			numbers[i] = math.Float32frombits(word)
		}
	}
	// Pending notes of nothing are whatever earlier windows left.
	for i := range m.L * m.W {
		if binary.LittleEndian.Uint32(block[m.noted.at+4*int64(i):]) == 0 {
			from := int(m.pending.at)/4 + i*m.S
			clear(numbers[from : from+m.S])
		}
	}
	return h, tokens, append(numbers, logits...)
}
