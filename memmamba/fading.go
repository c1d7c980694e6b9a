package memmamba

import (
	"fmt"

	"github.com/mmrun/mmrun/engine"
)

// A Fading is what is needed of a layer to tell how its state fades: the decay of h, and the projection of notes of
// a memory. Each of the heads has E / Heads neighbouring channels with a time step of their own, and each of the
// groups has Heads / Groups neighbouring heads that share B. Mamba's channels are heads of one channel, in one group.
type Fading struct {
	A             []float32 // (Heads, N), or (Heads, 1) where all of a head fades alike: h decays by exp(ΔA)
	Notes         []float32 // (S, d), note_proj; nil without a memory
	D             int       // d
	E, N          int       // N is how many numbers B has of a group where it is tapped
	Heads, Groups int
}

// FadingLayers reads it of all layers of a state-space model, tensors by their names.
func FadingLayers(config engine.Config, read func(name string) ([]float32, error)) ([]Fading, error) {
	c, ok := config.(*Config)
	if !ok {
		return nil, fmt.Errorf("a model of model_type %q has no state that fades", config.Sizes().ModelType)
	}
	layers := make([]Fading, c.NumHiddenLayers)
	for l := range layers {
		f, err := c.Mixer.fading(layerName(l)+"mixer.", read)
		if err != nil {
			return nil, err
		}
		f.D = c.HiddenSize
		if c.Memory != nil {
			if f.Notes, err = read(memoryName(l) + "note_proj.weight"); err != nil {
				return nil, err
			}
		}
		layers[l] = f
	}
	return layers, nil
}

// fading implements Mixer.
func (m *Mamba) fading(prefix string, read func(name string) ([]float32, error)) (Fading, error) {
	A, err := decays(prefix, read)
	return Fading{E: m.IntermediateSize, N: m.StateSize, Heads: m.IntermediateSize, Groups: 1, A: A}, err
}

// decays are a mixer's A.
func decays(prefix string, read func(name string) ([]float32, error)) ([]float32, error) {
	A, err := read(prefix + "A_log")
	for i, v := range A {
		A[i] = decayOf(v)
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
