package memmamba

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/checkpoint/safetensors"
)

const goldenDir = "../testdata/golden"

// tolerance is that of a correct float32 engine against float64: |got-want| ≤ tolerance (1 + |want|).
const tolerance = 2e-4

// testOrProperty is a test, a benchmark or a property of package rapid.
type testOrProperty interface {
	Helper()
	Error(args ...any)
	Fatal(args ...any)
	Cleanup(func())
}

func openModel(t testOrProperty, dir string, o Options) *Model {
	t.Helper()
	m, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func newState(t testOrProperty, m *Model) *State {
	t.Helper()
	s, err := m.NewState()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// far returns a description of the first pair out of tolerance, "" when there is none.
func far(got, want []float32) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d numbers, want %d", len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(float64(got[i] - want[i])); !(d <= tolerance+tolerance*math.Abs(float64(want[i]))) {
			return fmt.Sprintf("number %d is %g, want %g", i, got[i], want[i])
		}
	}
	return ""
}

type golden struct {
	tokens, greedy []int32
	logits         []float32
	file           *safetensors.File
}

func readGolden(t *testing.T, dir string) golden {
	t.Helper()
	f, err := safetensors.Open(filepath.Join(dir, "golden.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	g := golden{file: f, logits: floats(t, f, "logits")}
	g.tokens, g.greedy = ints(t, f, "tokens"), ints(t, f, "greedy")
	return g
}

func floats(t *testing.T, f *safetensors.File, name string) []float32 {
	t.Helper()
	tensor, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	numbers, err := tensor.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return numbers
}

func ints(t *testing.T, f *safetensors.File, name string) []int32 {
	t.Helper()
	tensor, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	numbers, err := tensor.Int32s()
	if err != nil {
		t.Fatal(err)
	}
	return numbers
}

// TestGolden holds the engine against models whose logits, pools and reads were computed in float64
// by an independent implementation.
func TestGolden(t *testing.T) {
	dirs, err := os.ReadDir(goldenDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		for _, chunk := range []int{1, 7, 64, 512} {
			t.Run(fmt.Sprintf("%s/chunk=%d", d.Name(), chunk), func(t *testing.T) {
				dir := filepath.Join(goldenDir, d.Name())
				m := openModel(t, dir, Options{Chunk: chunk})
				g := readGolden(t, dir)
				testLogits(t, m, g)
				testGreedy(t, m, g)
			})
		}
	}
}

func testLogits(t *testing.T, m *Model, g golden) {
	s := newState(t, m)
	var reads []int32
	s.OnWindow(func(_ int64, layers []bool) {
		for _, r := range layers {
			reads = append(reads, map[bool]int32{true: 1}[r])
		}
	})
	vocab, rows := m.Config().VocabSize, 0
	err := m.ForwardAll(context.Background(), s, g.tokens, func(first int, logits []float32) error {
		if bad := far(logits, g.logits[first*vocab:first*vocab+len(logits)]); bad != "" {
			t.Fatalf("logits from token %d on: %s", first, bad)
		}
		rows += len(logits) / vocab
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if rows != len(g.tokens) {
		t.Fatalf("%d rows of logits, want %d", rows, len(g.tokens))
	}
	if m.Config().Memory != nil {
		testMemory(t, s, g, reads)
	}
}

func testMemory(t *testing.T, s *State, g golden, reads []int32) {
	if want := ints(t, g.file, "reads"); !slices.Equal(reads, want) {
		t.Errorf("reads %v, want %v", reads, want)
	}
	layers, err := s.Memory()
	if err != nil {
		t.Fatal(err)
	}
	for l, count := range ints(t, g.file, "pool_count") {
		if len(layers[l].Notes) != int(count) {
			t.Fatalf("layer %d: %d notes, want %d", l, len(layers[l].Notes), count)
		}
		var summaries, importances []float32
		for _, n := range layers[l].Notes {
			summaries, importances = append(summaries, n.Summary...), append(importances, n.Importance)
		}
		if bad := far(summaries, floats(t, g.file, fmt.Sprintf("pool.%d", l))); bad != "" {
			t.Errorf("layer %d summaries: %s", l, bad)
		}
		if bad := far(importances, floats(t, g.file, fmt.Sprintf("importance.%d", l))); bad != "" {
			t.Errorf("layer %d importances: %s", l, bad)
		}
	}
}

func testGreedy(t *testing.T, m *Model, g golden) {
	s := newState(t, m)
	var got []int32
	for token, err := range m.Generate(context.Background(), s, g.tokens[:32], GenerateOptions{MaxTokens: len(g.greedy), Stop: []int32{-1}}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, token)
	}
	if !slices.Equal(got, g.greedy) {
		t.Errorf("greedy continuation %v, want %v", got, g.greedy)
	}
}
