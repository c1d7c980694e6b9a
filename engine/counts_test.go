package engine_test

import (
	"context"
	"path/filepath"
	"runtime"
	"testing"

	. "github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/refmodel"
	"github.com/mmrun/mmrun/sample"
)

// mallocs generates n tokens and returns how many objects that took from Go's heap.
func mallocs(t *testing.T, m *Model, s *State, o sample.Options, n int) uint64 {
	t.Helper()
	count := 0
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, err := range m.Generate(context.Background(), s, []int32{1}, GenerateOptions{MaxTokens: n, Sample: o, Stop: []int32{}}) {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	runtime.ReadMemStats(&after)
	if count != n {
		t.Fatalf("%d tokens, want %d", count, n)
	}
	return after.Mallocs - before.Mallocs
}

// TestTokensAllocateNothing: twice as many tokens take no more of Go's heap, whichever way they are
// chosen and also across the memory's windows.
func TestTokensAllocateNothing(t *testing.T) {
	m := wordy(t)
	for _, o := range ways {
		s := newState(t, m)
		mallocs(t, m, s, o, 20) // makes what is kept
		// What the runtime does by itself now and then is not the token's: the least of a few counts.
		few, many := mallocs(t, m, s, o, 9), mallocs(t, m, s, o, 25)
		for range 2 {
			few, many = min(few, mallocs(t, m, s, o, 9)), min(many, mallocs(t, m, s, o, 25))
		}
		if many > few {
			t.Errorf("%+v: 9 tokens take %d objects of the heap, 25 take %d", o, few, many)
		}
	}
}

// TestSubmissionsOfAToken: a token takes one submission, with the choice of the next and with what is due
// at a window's first token, also where every token begins one.
func TestSubmissionsOfAToken(t *testing.T) {
	for _, window := range []int{1, 5} {
		dir := filepath.Join(t.TempDir(), "model")
		c := refmodel.Default(refmodel.MemMamba)
		c.Layers, c.Hidden, c.Vocab = 4, 32, 2*ChooseFrom
		c.Memory.Window = window
		if err := refmodel.WriteRandom(dir, c, refmodel.Random{Seed: 1}); err != nil {
			t.Fatal(err)
		}
		m := openModel(t, dir, Options{})
		s := newState(t, m)
		submissions := func(n int) int64 {
			before := m.VK().Stats().Submissions
			mallocs(t, m, s, sample.Options{}, n)
			return m.VK().Stats().Submissions - before
		}
		submissions(8)
		if few, many := submissions(8), submissions(24); many-few != 16 {
			t.Errorf("windows of %d: 8 tokens take %d submissions, 24 take %d", window, few, many)
		}
	}
}

// TestCountsOfAToken: what a token costs is known by counting: kernels, submissions, and the bytes that
// have to be moved, which are those of the weights and little else.
func TestCountsOfAToken(t *testing.T) {
	t.Run("mamba", func(t *testing.T) { countTokens(t, refmodel.Default(refmodel.Mamba), 4) })
	t.Run("memmamba", func(t *testing.T) {
		c := refmodel.Default(refmodel.MemMamba)
		c.Memory.Period = 2
		countTokens(t, c, 6)
		c.Memory.StateThreshold, c.Memory.Fusion, c.Memory.Window = 0, "gated", 1
		countTokens(t, c, 6)
	})
}

// countTokens holds a token to a number of dispatches a layer, whatever the type of the weights.
func countTokens(t *testing.T, c refmodel.Config, perLayer int) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	c.Layers, c.Hidden, c.Vocab = 6, 64, 3000
	if err := refmodel.WriteRandom(dir, c, refmodel.Random{Seed: 1}); err != nil {
		t.Fatal(err)
	}
	moved := map[string]int64{}
	for _, quantize := range []string{"", "q8_0"} {
		m := openModel(t, dir, Options{Chunk: 16, Quantize: quantize})
		countToken(t, m, c, perLayer)
		moved[quantize] = m.Step().Cost().Bytes - 2*m.Memory().State
	}
	// 34 bytes hold 32 weights, where F32 takes 128; what stays F32 and what pads rows is little.
	if most := moved[""] * 34 / 128 * 3 / 2; moved["q8_0"] > most {
		t.Errorf("a token moves %d bytes of quantized weights, want at most %d of %d", moved["q8_0"], most, moved[""])
	}
}

func countToken(t *testing.T, m *Model, c refmodel.Config, perLayer int) {
	t.Helper()
	step, choose := m.Step(), m.Choose()
	if n := step.Dispatches(); n > perLayer*c.Layers+2 {
		t.Errorf("%d dispatches a token for %d layers, want at most %d a layer and two", n, c.Layers, perLayer)
	}
	if n := choose.Dispatches(); n > 2 {
		t.Errorf("%d dispatches to choose a token, want at most 2", n)
	}
	weights, state := m.Memory().Weights, m.Memory().State
	if bytes := step.Cost().Bytes; bytes < weights || bytes > weights+2*state+weights/10 {
		t.Errorf("a token moves %d bytes, want little more than the %d of the weights and twice the %d of the state", bytes, weights, state)
	}
	// A choice reads the logits once and what it tells the host is a few of them.
	if bytes, logits := choose.Cost().Bytes, 4*int64(c.Vocab); bytes > logits+logits/4 {
		t.Errorf("a choice among logits of %d bytes moves %d", logits, bytes)
	}
	if bytes := m.ChoiceBytes(); bytes > 1024 {
		t.Errorf("the host reads %d bytes a token, want at most 1024", bytes)
	}
}
