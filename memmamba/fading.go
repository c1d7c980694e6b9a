package memmamba

import (
	"fmt"
	"math"

	"github.com/mmrun/mmrun/engine"
)

// A Fading is what is needed of a layer to tell how its state fades: the decay of h, and the projection of notes of
// a memory.
type Fading struct {
	D, E, N int
	A       []float32 // (E, N), h decays by exp(ΔA)
	Notes   []float32 // (S, d), note_proj; nil without a memory
}

// FadingLayers reads it of all layers of a state-space model, tensors by their names.
func FadingLayers(config engine.Config, read func(name string) ([]float32, error)) ([]Fading, error) {
	c, ok := config.(*Config)
	if !ok {
		return nil, fmt.Errorf("a model of model_type %q has no state that fades", config.Sizes().ModelType)
	}
	layers := make([]Fading, c.NumHiddenLayers)
	for l := range layers {
		f := &layers[l]
		f.D = c.HiddenSize
		f.E, f.N = c.Mixer.Inner()
		var err error
		if f.A, err = c.Mixer.decay(layerName(l)+"mixer.", read); err != nil {
			return nil, err
		}
		if c.Memory == nil {
			continue
		}
		if f.Notes, err = read(memoryName(l) + "note_proj.weight"); err != nil {
			return nil, err
		}
	}
	return layers, nil
}

func (m *Mamba) decay(prefix string, read func(name string) ([]float32, error)) ([]float32, error) {
	A, err := read(prefix + "A_log")
	for i, v := range A {
		A[i] = float32(-math.Exp(float64(v)))
	}
	return A, err
}

// Readable are the tokens of each layer whose notes are in a pool that is read during a window, by the layer itself
// or by the cross-layer attention of a later one; nil for layers whose pool nobody reads.
func Readable(s *engine.State, window int64) ([]map[int]bool, error) {
	c, err := memoryOf(s)
	if err != nil {
		return nil, err
	}
	reads, err := Reads(s, window)
	if err != nil {
		return nil, err
	}
	before, err := LayerReads(s, window)
	if err != nil {
		return nil, err
	}
	memory, err := Memory(s)
	if err != nil {
		return nil, err
	}
	pools := make([]map[int]bool, len(memory))
	for l := range pools {
		if !reads[l] && !c.crossed(l, before) {
			continue
		}
		pools[l] = map[int]bool{}
		for _, note := range memory[l].Notes {
			pools[l][int(note.Position)] = true
		}
	}
	return pools, nil
}

// crossed says whether one of the layers that read those before them reads layer l's pool.
func (c *Config) crossed(l int, readers []bool) bool {
	p := c.Memory.Period
	for reader := l + 1; reader <= l+p && reader < c.NumHiddenLayers; reader++ {
		if readers[reader] {
			return true
		}
	}
	return false
}

// MemoryWindow is W of a model that has a memory, else 0.
func MemoryWindow(config engine.Config) int {
	if c, ok := config.(*Config); ok && c.Memory != nil {
		return c.Memory.Window
	}
	return 0
}
