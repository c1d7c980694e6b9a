package memmamba

import (
	"fmt"
	"slices"

	"github.com/mmrun/mmrun/engine"
)

// A Note is what a layer wrote down of a token.
type Note struct {
	Position   int64     // of the token in the sequence
	Importance float32   // I_token, above τ1
	Summary    []float32 // S numbers
}

// LayerMemory is one layer's memory at some time.
type LayerMemory struct {
	Notes      []Note // in the pool, oldest first
	Reads      bool   // whether the layer reads its pool during the window now
	LayerReads bool   // and whether it reads those of the layers before it
}

// memoryOf is the config of a state of a MemMamba model.
func memoryOf(s *engine.State) (*Config, error) {
	c, ok := s.Model().Config().(*Config)
	if !ok || c.Memory == nil {
		return nil, fmt.Errorf("a model of model_type %q has no memory", s.Model().Sizes().ModelType)
	}
	return c, nil
}

// Reads says which layers of a MemMamba sequence read their own pool during a window: the one that is under way,
// or that begins where State.OnWindow tells of it. In the first window none does.
func Reads(s *engine.State, window int64) ([]bool, error) {
	c, err := memoryOf(s)
	if err != nil {
		return nil, err
	}
	L := c.NumHiddenLayers
	if rule := c.Memory.reads(); rule != readsByState {
		return slices.Repeat([]bool{rule == readsAlways && window > 0}, L), nil
	}
	data, err := s.Download(engine.Shared, readsPart)
	if err != nil {
		return nil, err
	}
	return words(data).flags(L), nil
}

// LayerReads says which layers of a MemMamba sequence read the pools of the layers before them during a window, as
// Reads does of their own: of those with cross-layer attention all, or those whose state triggers it.
func LayerReads(s *engine.State, window int64) ([]bool, error) {
	c, err := memoryOf(s)
	if err != nil {
		return nil, err
	}
	reads := make([]bool, c.NumHiddenLayers)
	if window == 0 {
		return reads, nil
	}
	m, decided := c.memoryState(), []bool(nil)
	if m.layerDecides {
		data, err := s.Download(engine.Shared, layerReadsPart)
		if err != nil {
			return nil, err
		}
		decided = words(data).flags(m.attending)
	}
	for l := range reads {
		switch {
		case !c.Memory.crosses(l):
		case decided != nil:
			reads[l] = decided[(l+1)/c.Memory.Period-1]
		default:
			reads[l] = c.Memory.layerReads() == readsAlways
		}
	}
	return reads, nil
}

// OnWindow has f called at every window's first token with which layers read their own pool during it, and which
// read those of the layers before them.
func OnWindow(s *engine.State, f func(window int64, reads, layerReads []bool) error) {
	s.OnWindow(func(window int64) error {
		reads, err := Reads(s, window)
		if err != nil {
			return err
		}
		layerReads, err := LayerReads(s, window)
		if err != nil {
			return err
		}
		return f(window, reads, layerReads)
	})
}

// Memory returns what every layer of a MemMamba sequence has written down so far. Notes of the window under way
// are pending and not in a pool yet.
func Memory(s *engine.State) ([]LayerMemory, error) {
	c, err := memoryOf(s)
	if err != nil {
		return nil, err
	}
	m := c.memoryState()
	window := max(s.Position()-1, 0) / int64(m.W)
	reads, err := Reads(s, window)
	if err != nil {
		return nil, err
	}
	layerReads, err := LayerReads(s, window)
	if err != nil {
		return nil, err
	}
	parts := map[string]words{}
	for _, name := range []string{poolPart, importancePart, positionPart} {
		if parts[name], err = s.Download(engine.Shared, name); err != nil {
			return nil, err
		}
	}
	layers := make([]LayerMemory, m.L)
	for l := range layers {
		layers[l].Reads, layers[l].LayerReads = reads[l], layerReads[l]
		for i := l * m.P; i < (l+1)*m.P; i++ {
			note := Note{Position: int64(parts[positionPart].word(i)), Importance: parts[importancePart].float(i)}
			if note.Importance == 0 {
				continue
			}
			for j := range c.Memory.SummaryDim {
				note.Summary = append(note.Summary, parts[poolPart].float(i*m.S+j))
			}
			layers[l].Notes = append(layers[l].Notes, note)
		}
	}
	return layers, nil
}
