package engine_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/checkpoint/safetensors"
	. "github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/memmamba"
)

const goldenDir = "../testdata/golden"

// tolerance is that of a correct float32 engine against float64: |got-want| ≤ tolerance (1 + |want|).
const tolerance = 2e-4

// tester is a test, a benchmark or a property of package rapid.
type tester interface {
	rapid.TB
	Cleanup(func())
}

// goldens are the folders of the models in goldenDir.
func goldens(t *testing.T) (dirs []string) {
	t.Helper()
	found, err := os.ReadDir(goldenDir)
	if err != nil || len(found) == 0 {
		t.Fatalf("%d models: %v", len(found), err)
	}
	for _, d := range found {
		dirs = append(dirs, filepath.Join(goldenDir, d.Name()))
	}
	return dirs
}

// openDir opens the model in a directory.
func openDir(dir string, o Options) (*Model, error) {
	src, err := checkpoint.Open(dir)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	return Open(src, o)
}

func openModel(t tester, dir string, o Options) *Model {
	t.Helper()
	m, err := openDir(dir, o)
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

func newState(t tester, m *Model) *State {
	t.Helper()
	s, err := m.NewState()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// feed feeds tokens to a sequence.
func feed(t tester, s *State, tokens []int32) {
	t.Helper()
	if _, err := s.Model().Forward(context.Background(), s, tokens); err != nil {
		t.Fatal(err)
	}
}

// save and load keep a sequence and go on with it.
func save(t tester, s *State) []byte {
	t.Helper()
	data, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func load(t tester, s *State, data []byte) {
	t.Helper()
	if err := s.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
}

// memoryConfig is that of a model with a memory, else nil.
func memoryConfig(m *Model) *memmamba.MemoryConfig {
	if c, ok := m.Config().(*memmamba.Config); ok {
		return c.Memory
	}
	return nil
}

// everyLogit returns the logits after every token.
func everyLogit(t tester, m *Model, tokens []int32) (all []float32) {
	t.Helper()
	err := m.ForwardAll(context.Background(), newState(t, m), tokens, func(_ int, logits []float32) error {
		all = append(all, logits...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
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

// TestGolden holds the engine against models whose logits, and whatever else sequences leave, such as pools and
// reads, were computed in float64 by an independent implementation.
func TestGolden(t *testing.T) {
	for _, dir := range goldens(t) {
		for _, chunk := range []int{1, 7, 64, 512} {
			t.Run(fmt.Sprintf("%s/chunk=%d", filepath.Base(dir), chunk), func(t *testing.T) {
				m, g := openModel(t, dir, Options{Chunk: chunk}), readGolden(t, dir)
				testLogits(t, m, g)
				testGreedy(t, m, g)
			})
		}
	}
}

func testLogits(t *testing.T, m *Model, g golden) {
	t.Helper()
	s := newState(t, m)
	records := func() ([]Record, error) { return nil, nil }
	if recorded, ok := m.Config().(Recorded); ok {
		records = recorded.Record(s)
	}
	vocab, rows := m.Sizes().Vocab, 0
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
	all, err := records()
	if err != nil {
		t.Fatal(err)
	}
	testRecords(t, all, g)
}

// testRecords: what a sequence left is all that a golden file has besides tokens and logits.
func testRecords(t *testing.T, all []Record, g golden) {
	t.Helper()
	const others = 3 // tokens, logits and the greedy continuation
	if names := g.file.Names(); len(all) != len(names)-others {
		t.Errorf("%d records, the file has %q", len(all), names)
	}
	for _, one := range all {
		if one.Ints != nil {
			if want := ints(t, g.file, one.Name); !slices.Equal(one.Ints, want) {
				t.Errorf("%s: %v, want %v", one.Name, one.Ints, want)
			}
			continue
		}
		if bad := far(one.Floats, floats(t, g.file, one.Name)); bad != "" {
			t.Errorf("%s: %s", one.Name, bad)
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
