package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/checkpoint/safetensors"
	. "github.com/mmrun/mmrun/engine"
)

const decimationDir = "../testdata/decimamba"

// readDecimation is what a golden folder says of which layers drop tokens.
func readDecimation(t *testing.T, dir string) Decimation {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "decimation.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Layers []int   `json:"layers"`
		Base   int     `json:"base"`
		Beta   float64 `json:"beta"`
		Least  int     `json:"min_tokens"`
		Keep   int     `json:"keep_last"`
	}
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	return Decimation(d)
}

// decimated is what a model makes of a prompt of which tokens are dropped.
func decimated(t *testing.T, m *Model, tokens []int32, d Decimation) (s *State, kept []Kept, logits []float32) {
	t.Helper()
	s = newState(t, m)
	kept, err := m.Decimate(context.Background(), s, tokens, d, nil)
	if err == nil {
		logits, err = s.Logits()
	}
	if err != nil {
		t.Fatal(err)
	}
	return s, kept, slices.Clone(logits)
}

// TestDecimate holds prompts of which layers drop tokens against an independent float64 implementation: what
// stays, the logits after it and the text that follows; to the bit the same whatever the chunk.
func TestDecimate(t *testing.T) {
	for _, name := range []string{"deci-one", "deci-three"} {
		dir, first := filepath.Join(decimationDir, name), []float32(nil)
		f, err := safetensors.Open(filepath.Join(dir, "golden.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		d, tokens := readDecimation(t, dir), ints(t, f, "tokens")
		for _, chunk := range []int{512, 61} {
			what := fmt.Sprintf("%s, chunk %d", name, chunk)
			m := openModel(t, dir, Options{Chunk: chunk})
			s, kept, logits := decimated(t, m, tokens, d)
			if bad := far(logits, floats(t, f, "last_logits")); bad != "" {
				t.Errorf("%s: logits: %s", what, bad)
			}
			if first == nil {
				first = logits
			}
			if !slices.Equal(logits, first) {
				t.Errorf("%s: the logits are not those of chunk 512, to the bit", what)
			}
			if len(kept) != len(d.Layers) {
				t.Errorf("%s: %d layers dropped tokens, want %d", what, len(kept), len(d.Layers))
			}
			for _, k := range kept {
				if want := ints(t, f, fmt.Sprintf("kept.%d", k.Layer)); !slices.Equal(k.Positions, want) {
					t.Errorf("%s: layer %d kept %v, want %v", what, k.Layer, k.Positions, want)
				}
			}
			testGreedyAfter(t, m, s, ints(t, f, "greedy"))
		}
	}
}

// testGreedyAfter compares the text that follows a sequence.
func testGreedyAfter(t *testing.T, m *Model, s *State, want []int32) {
	t.Helper()
	var got []int32
	for token, err := range m.Generate(context.Background(), s, nil, GenerateOptions{MaxTokens: len(want), Stop: []int32{-1}}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, token)
	}
	if !slices.Equal(got, want) {
		t.Errorf("greedy continuation %v, want %v", got, want)
	}
}

// TestDecimateNothing: where all tokens stay, prompts and scores are those without.
func TestDecimateNothing(t *testing.T) {
	ctx, m := context.Background(), openModel(t, filepath.Join(goldenDir, "mamba-tiny"), Options{Chunk: 16})
	g := readGolden(t, filepath.Join(goldenDir, "mamba-tiny"))
	n := len(g.tokens)
	for _, d := range []Decimation{{[]int{0}, 1, 1, n, 1}, {[]int{m.Sizes().Layers - 1}, n, 0.5, 0, 1}, {[]int{0, 1}, 1, 1, 0, n + 5}} {
		s, kept, logits := decimated(t, m, g.tokens, d)
		if bad := far(logits, g.logits[len(g.logits)-m.Sizes().Vocab:]); bad != "" || len(kept[0].Positions) != n || s.Position() != int64(n) {
			t.Errorf("%+v: %d of %d tokens stayed at position %d; %s", d, len(kept[0].Positions), n, s.Position(), bad)
		}
	}
	var want []float32
	err := m.Score(ctx, newState(t, m), g.tokens[:n-1], g.tokens[1:], func(_ int, nats []float32) error {
		want = append(want, nats...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, count := range []int{1, 15, 16, n - 1} {
		got, err := m.ScoreLast(ctx, newState(t, m), g.tokens[:n-1], g.tokens[n-count:], Decimation{[]int{1}, n, 1, 0, n})
		if err != nil {
			t.Fatal(err)
		}
		if bad := far(got, want[len(want)-count:]); bad != "" {
			t.Errorf("the last %d: %s", count, bad)
		}
	}
}

// TestDecimateRefuses: what makes no sense is an error that says so, and an interrupted prompt leaves an empty
// sequence.
func TestDecimateRefuses(t *testing.T) {
	ctx, good := context.Background(), Decimation{[]int{0}, 4, 0.5, 2, 1}
	m := openModel(t, filepath.Join(goldenDir, "mamba-tiny"), Options{Chunk: 8})
	tokens := readGolden(t, filepath.Join(goldenDir, "mamba-tiny")).tokens
	for _, test := range []struct {
		d    Decimation
		want string
	}{
		{Decimation{nil, 4, 1, 0, 1}, "no layer"}, {Decimation{[]int{1, 1}, 4, 1, 0, 1}, "ascending"}, {Decimation{[]int{99}, 4, 1, 0, 1}, "[99]"},
		{Decimation{[]int{0}, 0, 1, 0, 1}, "base of 0"}, {Decimation{[]int{0}, 4, math.NaN(), 0, 1}, "NaN"}, {Decimation{[]int{0}, 4, 1.5, 0, 1}, "1.5"},
		{Decimation{[]int{0}, 4, 1, -1, 1}, "-1"}, {Decimation{[]int{0}, 4, 1, 0, 0}, "last 0"},
	} {
		if _, err := m.Decimate(ctx, newState(t, m), tokens, test.d, nil); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.d, err, test.want)
		}
	}
	s := newState(t, m)
	feed(t, s, tokens[:3])
	if _, err := m.Decimate(ctx, s, tokens, good, nil); err == nil || !strings.Contains(err.Error(), "has 3 already") {
		t.Errorf("after three tokens: %v", err)
	}
	if _, err := m.ScoreLast(ctx, newState(t, m), tokens, tokens[:2], good); err == nil {
		t.Error("a token that may be dropped was scored")
	}
	stopped, stop := context.WithCancel(ctx)
	s = newState(t, m)
	if _, err := m.Decimate(stopped, s, tokens, good, func(int, int) { stop() }); !errors.Is(err, context.Canceled) || s.Position() != 0 {
		t.Errorf("stopped at position %d: %v", s.Position(), err)
	}
	if logits, err := m.Forward(ctx, s, tokens[:1]); err != nil || far(logits, everyLogit(t, m, tokens[:1])) != "" {
		t.Errorf("a stopped prompt left something behind: %v", err)
	}
	for name, want := range map[string]string{"memmamba-fifo": "memory", "mamba2-tiny": "Mamba", "neox-f16": "gpt_neox"} {
		other := openModel(t, filepath.Join(goldenDir, name), Options{})
		if _, err := other.Decimate(ctx, newState(t, other), []int32{1, 2, 3}, good, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
