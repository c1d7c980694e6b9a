package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/checkpoint/safetensors"
	. "github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/refmodel"
	"github.com/mmrun/mmrun/memmamba"
)

// apart is how far every hard decision of a random model stays from falling the other way in
// float64: well above what float32 rounds its scores by.
const apart = 1e-5

// TestRandom holds the engine against models of every kind and odd shape, run in float64 by an
// implementation of its own: logits after every token, pools, importances and reads. Then the same
// text goes in by pieces.
func TestRandom(t *testing.T) {
	const models = 24
	ties := 0 // decisions between notes of exactly the same importance
	for seed := range uint64(models) {
		rng := rand.New(rand.NewPCG(seed, 0))
		c, how := randomConfig(rng, seed)
		t.Run(fmt.Sprintf("%d/%s", seed, c.ModelType), func(t *testing.T) {
			dir, tokens := t.TempDir(), refmodel.RandomTokens(c, seed, 20+rng.IntN(100))
			_, want, err := refmodel.WriteSeparated(dir, c, how, tokens, apart)
			if err != nil {
				t.Fatal(err)
			}
			ties += want.Margin.Ties
			if how.DType != safetensors.F32 && seed%4 > 0 {
				dir = mixed(t, rng, dir)
			}
			m := openModel(t, dir, Options{Chunk: 1 + rng.IntN(len(tokens)+10)})
			other := openModel(t, dir, Options{Chunk: 1 + rng.IntN(40)})
			memory, heads := c.Memory, c.Heads
			c.Memory, c.Heads = nil, nil // a pointer says nothing
			t.Logf("%+v %+v %+v %+v, %d tokens by %d and %d", c, heads, memory, how, len(tokens), m.Chunk(), other.Chunk())
			all := newState(t, m)
			compareRun(t, m, all, tokens, want)
			check(t, 1, func(r *rapid.T) { testPieces(r, m, other, all, tokens) })
		})
	}
	if ties == 0 {
		t.Error("no two notes were of the same importance")
	}
}

// randomConfig draws a model. What has few choices goes through them by seed, so that all are met.
func randomConfig(rng *rand.Rand, seed uint64) (refmodel.Config, refmodel.Random) {
	kind := refmodel.MemMamba
	switch seed % 9 {
	case 6:
		kind = refmodel.Mamba2
	case 7:
		kind = refmodel.Mamba
	case 8:
		kind = refmodel.FalconMamba
	}
	c := refmodel.Default(kind)
	c.Vocab, c.Hidden, c.Inner, c.Layers = 8+rng.IntN(150), 3+rng.IntN(40), 1+rng.IntN(70), 1+rng.IntN(6)
	c.State, c.Kernel, c.Rank = []int{3, 8, 16, 17}[rng.IntN(4)], 2+rng.IntN(3), refmodel.Rank(1+rng.IntN(5))
	c.Bias, c.ConvBias, c.Tied = rng.IntN(2) == 0, rng.IntN(2) == 0, rng.IntN(2) == 0
	if m := c.Memory; m != nil {
		m.Summary, m.Pool = 1+rng.IntN(40), 1+rng.IntN(20)
		m.Window = []int{1, 2, 5, 1, 16, 33, 64}[seed%7]
		if seed%4 < 2 {
			m.Growth, m.Most = 1+rng.IntN(6), m.Pool+rng.IntN(30)
		}
		m.Period = 1 + rng.IntN(c.Layers)
		m.NoteThreshold = []float64{0.5, 0.3, 0, 0.7, 1}[rng.IntN(5)]
		m.StateThreshold = []float64{0, 0.5, -0.5, 1, 0.6}[seed%5]
		m.Replacement = []string{"fifo", "priority"}[seed%2]
		m.Pooling = []string{"concat", "mean", "max"}[seed/2%3]
		if seed%5 > 2 || seed%7 == 2 {
			m.Trigger, m.LayerThreshold = "state", []float64{0.5, 0, 0.6, 1.5, 0.4}[seed/5%5]
		}
		m.Fusion = []string{"residual", "gated"}[seed/3%2]
		kind = []string{refmodel.Mamba, refmodel.Mamba2, refmodel.FalconMamba}[seed/9%3]
		m.Mixer = kind
	}
	if kind == refmodel.Mamba2 {
		c = withHeads(c, func(_ string, least, most int) int { return least + rng.IntN(most-least+1) })
	}
	how := refmodel.Random{Seed: seed, DType: []safetensors.DType{safetensors.F32, safetensors.F16, safetensors.BF16}[rng.IntN(3)]}
	if rng.IntN(3) == 0 {
		how.Shard = 10_000
	}
	return c, how
}

// mixed is a model with some of its tensors, any, as F32: the same numbers.
func mixed(t *testing.T, rng *rand.Rand, dir string) string {
	t.Helper()
	return rewritten(t, configOf(t, dir), dir, func(from *checkpoint.Tensors) (tensors []safetensors.Out, err error) {
		for _, name := range from.Names() {
			one, _ := from.Tensor(name)
			wide, err := one.Float32s()
			if err != nil {
				return nil, err
			}
			dtype, err := safetensors.ParseDType(one.Type)
			if err != nil {
				return nil, err
			}
			if rng.IntN(2) == 0 {
				dtype = safetensors.F32
			}
			tensors = append(tensors, safetensors.OfFloat32(name, dtype, one.Shape, wide))
		}
		return tensors, nil
	})
}

// compareRun feeds the tokens to an empty sequence and compares all there is to see.
func compareRun(t *testing.T, m *Model, s *State, tokens []int32, want refmodel.Result) {
	t.Helper()
	windows := 0
	memmamba.OnWindow(s, func(window int64, reads, layerReads []bool) error {
		for l, read := range reads {
			if window != int64(windows) || read != (want.Reads[window][l] == 1) {
				t.Errorf("window %d, layer %d: reads is %v, want %v of window %d", window, l, read, want.Reads[windows], windows)
			}
			if layerReads[l] != (want.LayerReads[window][l] == 1) {
				t.Errorf("window %d, layer %d: reads of layers before are %v, want %v", window, l, layerReads[l], want.LayerReads[windows])
			}
		}
		windows++
		return nil
	})
	vocab := m.Sizes().Vocab
	err := m.ForwardAll(context.Background(), s, tokens, func(first int, logits []float32) error {
		for row := 0; row < len(logits)/vocab; row++ {
			if bad := far(logits[row*vocab:(row+1)*vocab], narrow(want.Logits[first+row])); bad != "" {
				return fmt.Errorf("logits after token %d: %s", first+row, bad)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if windows != len(want.Reads) {
		t.Errorf("%d windows, want %d", windows, len(want.Reads))
	}
	if memoryConfig(m) == nil {
		return
	}
	layers, err := memmamba.Memory(s)
	if err != nil {
		t.Fatal(err)
	}
	for l, layer := range layers {
		compareNotes(t, l, layer.Notes, want)
	}
}

func compareNotes(t *testing.T, l int, notes []memmamba.Note, want refmodel.Result) {
	t.Helper()
	if len(notes) != want.PoolCount[l] {
		t.Fatalf("layer %d: %d notes, want %d", l, len(notes), want.PoolCount[l])
	}
	for i, n := range notes {
		if n.Position != want.Positions[l][i] {
			t.Errorf("layer %d, note %d: position %d, want %d", l, i, n.Position, want.Positions[l][i])
		}
		if bad := far(n.Summary, narrow(want.Pools[l][i])); bad != "" {
			t.Errorf("layer %d, note %d: summary: %s", l, i, bad)
		}
		if bad := far([]float32{n.Importance}, narrow(want.Importances[l][i:i+1])); bad != "" {
			t.Errorf("layer %d, note %d: importance: %s", l, i, bad)
		}
	}
}

func narrow(numbers []float64) []float32 {
	out := make([]float32, len(numbers))
	for i, v := range numbers {
		out[i] = float32(v)
	}
	return out
}
