package memmamba

import (
	"cmp"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/config"
	"github.com/mmrun/mmrun/ops"
)

func init() {
	engine.Register(engine.Architecture{ModelTypes: []string{"memmamba"}, Classes: []string{classes["memmamba"]}, Configure: readMemMamba})
}

// MemoryConfig is what a MemMamba config.json adds (arXiv 2510.03279); keys the paper has no
// number for are marked ours.
type MemoryConfig struct {
	SummaryDim     int     `json:"memory_summary_dim"`     // S, 64 in the paper
	PoolSize       int     `json:"memory_pool_size"`       // P, 50 in the paper
	PoolGrowth     int     `json:"memory_pool_growth"`     // g, how many more notes have room whenever the windows have doubled (ours)
	PoolMax        int     `json:"memory_pool_max"`        // to which a pool grows (ours)
	NoteThreshold  float64 `json:"memory_note_threshold"`  // τ1
	StateThreshold float64 `json:"memory_state_threshold"` // τ2
	Period         int     `json:"cross_layer_period"`     // p
	Window         int     `json:"memory_window"`          // W in tokens (ours)
	Replacement    string  `json:"memory_replacement"`     // "fifo" or "priority"
	Pooling        string  `json:"cross_layer_pooling"`    // "concat", "mean" or "max"
	Trigger        string  `json:"cross_layer_trigger"`    // of cross-layer attention, "period" or "state" (ours)
	LayerThreshold float64 `json:"cross_layer_threshold"`  // τ3, of the trigger "state" (ours)
	Fusion         string  `json:"memory_fusion"`          // "residual" or "gated"
	MixerType      string  `json:"mixer_type"`             // what stands under the memory (ours)
}

// The limits of a memory.
const (
	maxSummary = ops.MaxSummary
	maxPool    = ops.MaxPool
	maxWindow  = ops.MaxWindow
)

// readMemMamba reads a config.json: the memory's settings, and those of the mixer under it.
func readMemMamba(data []byte) (engine.Config, error) {
	m := defaultMemory()
	if err := cmp.Or(config.Decode(data, m), knownKeys(data)); err != nil {
		return nil, err
	}
	if mixers[m.MixerType] == nil {
		return nil, fmt.Errorf("mixer_type %q is not known (%s are)", m.MixerType, strings.Join(Mixers(), ", "))
	}
	c, err := configure(m.MixerType, data)
	if err == nil {
		err = m.validate(c.NumHiddenLayers)
	}
	if err != nil {
		return nil, err
	}
	c.Memory = m
	return c, nil
}

// What makes layers attend to those before them.
const (
	byPeriod = "period" // that they are the period-th
	byState  = "state"  // besides, their recurrent state at the window's start
)

// knownKeys refuses a key that begins as those of a memory do and is none: what it asks for would not be done.
func knownKeys(data []byte) error {
	keys, err := config.Keys(data)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, key := range jsonKeys(MemoryConfig{}) {
		known[key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if (strings.HasPrefix(key, "memory_") || strings.HasPrefix(key, "cross_layer_")) && !known[key] {
			return fmt.Errorf("%s is not known", key)
		}
	}
	return nil
}

func defaultMemory() *MemoryConfig {
	return &MemoryConfig{
		SummaryDim: 64, PoolSize: 50, PoolMax: absent, NoteThreshold: 0.5, StateThreshold: 0.5, Period: absent, Window: 64,
		Replacement: "fifo", Pooling: "concat", Trigger: byPeriod, LayerThreshold: 0.5, Fusion: "residual", MixerType: "mamba",
	}
}

func (m *MemoryConfig) validate(layers int) error {
	if m.Period == absent {
		m.Period, layers = 4, max(4, layers) // a model of fewer layers has no cross-layer attention
	}
	if m.PoolMax == absent {
		m.PoolMax = m.PoolSize
	}
	err := cmp.Or(
		config.Within("memory_summary_dim", m.SummaryDim, 1, maxSummary),
		config.Within("memory_pool_size", m.PoolSize, 1, maxPool),
		config.Within("memory_pool_growth", m.PoolGrowth, 0, maxPool),
		config.Within("memory_pool_max", m.PoolMax, m.PoolSize, maxPool),
		config.Within("memory_window", m.Window, 1, maxWindow),
		config.Within("cross_layer_period", m.Period, 1, layers))
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name, value string
		known       []string
	}{
		{"memory_replacement", m.Replacement, []string{"fifo", "priority"}},
		{"cross_layer_pooling", m.Pooling, []string{"concat", "mean", "max"}},
		{"cross_layer_trigger", m.Trigger, []string{byPeriod, byState}},
		{"memory_fusion", m.Fusion, []string{"residual", "gated"}},
	} {
		if !slices.Contains(f.known, f.value) {
			return fmt.Errorf("%s %q is not one of %v", f.name, f.value, f.known)
		}
	}
	return nil
}

// room is that of a pool: P notes, and g more whenever the number of windows has doubled, up to the most.
func (m *MemoryConfig) room() ops.Room { return ops.Room{First: m.PoolSize, Growth: m.PoolGrowth} }

// roomAt is how many notes a pool has room for in a window.
func (m *MemoryConfig) roomAt(window int64) int {
	return min(m.PoolMax, m.PoolSize+m.PoolGrowth*max(0, bits.Len64(uint64(window))-1))
}

// PoolText is how many notes a pool has room for, in words.
func (m *MemoryConfig) PoolText() string {
	if m.PoolGrowth == 0 || m.PoolMax == m.PoolSize {
		return fmt.Sprint(m.PoolSize)
	}
	return fmt.Sprintf("%d growing by %d to %d", m.PoolSize, m.PoolGrowth, m.PoolMax)
}

// How it is decided whether a layer reads its own pool, or those of the layers before it.
type readRule int

const (
	readsByState readRule = iota // by its recurrent state at the window's start
	readsAlways                  // after the first window: every score's sigmoid is above the threshold
	readsNever                   // none is
)

func ruleOf(threshold float64) readRule {
	switch {
	case threshold <= 0:
		return readsAlways
	case threshold >= 1:
		return readsNever
	}
	return readsByState
}

// reads is how it is decided of a layer's own pool.
func (m *MemoryConfig) reads() readRule { return ruleOf(m.StateThreshold) }

// layerReads is how it is decided of the pools of the layers before those that cross.
func (m *MemoryConfig) layerReads() readRule {
	if m.Trigger == byPeriod {
		return readsAlways
	}
	return ruleOf(m.LayerThreshold)
}

// Triggers says whether that is so of layer l, which then has a score for it.
func (m *MemoryConfig) Triggers(l int) bool { return m.Triggered() && m.crosses(l) }

// Triggered says whether the layers before are read only where the state says so.
func (m *MemoryConfig) Triggered() bool { return m.Trigger == byState }

// crosses says whether layer l, counted from 0, has cross-layer attention.
func (m *MemoryConfig) crosses(l int) bool { return (l+1)%m.Period == 0 }
