package memmamba

import (
	"fmt"

	"github.com/mmrun/mmrun/engine"
)

// Records implements engine.Recorded.
func (c *Config) Records() (names []string) {
	if c.Memory == nil {
		return nil
	}
	names = []string{"pool_count", "reads"}
	if c.Memory.Triggered() {
		names = append(names, "layer_reads")
	}
	for l := range c.NumHiddenLayers {
		names = append(names, fmt.Sprintf("pool.%d", l), fmt.Sprintf("importance.%d", l))
	}
	return names
}

// Record implements engine.Recorded: the reads of every window, those of the layers before where
// they are triggered, and the pools after the last token.
func (c *Config) Record(s *engine.State) func() ([]engine.Record, error) {
	if c.Memory == nil {
		return func() ([]engine.Record, error) { return nil, nil }
	}
	var reads, layerReads []int32
	OnWindow(s, func(_ int64, own, before []bool) error {
		for l := range own {
			reads, layerReads = append(reads, oneIf(own[l])), append(layerReads, oneIf(before[l]))
		}
		return nil
	})
	return func() ([]engine.Record, error) {
		memory, err := Memory(s)
		if err != nil {
			return nil, err
		}
		L := c.NumHiddenLayers
		counts := engine.Record{Name: "pool_count", Shape: []int{L}, Axes: []string{"layer"}, Ints: make([]int32, L)}
		all := []engine.Record{{Name: "reads", Shape: []int{len(reads) / L, L}, Axes: []string{"window", "layer"}, Ints: reads}}
		if c.Memory.Triggered() {
			all = append(all, engine.Record{Name: "layer_reads", Shape: all[0].Shape, Axes: all[0].Axes, Ints: layerReads})
		}
		for l, layer := range memory {
			counts.Ints[l] = int32(len(layer.Notes))
			all = append(all, c.notesOf(l, layer.Notes)...)
		}
		return append(all, counts), nil
	}
}

// notesOf are the records of a layer's pool.
func (c *Config) notesOf(l int, notes []Note) []engine.Record {
	pool := engine.Record{Name: fmt.Sprintf("pool.%d", l), Shape: []int{len(notes), c.Memory.SummaryDim}, Axes: []string{"note", "number"}}
	importance := engine.Record{Name: fmt.Sprintf("importance.%d", l), Shape: []int{len(notes)}, Axes: []string{"note"}}
	for _, note := range notes {
		pool.Floats = append(pool.Floats, note.Summary...)
		importance.Floats = append(importance.Floats, note.Importance)
	}
	return []engine.Record{pool, importance}
}

func oneIf(yes bool) int32 {
	if yes {
		return 1
	}
	return 0
}
