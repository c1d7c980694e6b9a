package memmamba

import (
	"fmt"
	"slices"
)

// MemoryConfig is what a MemMamba config.json adds (arXiv 2510.03279); keys the paper has no
// number for are marked ours.
type MemoryConfig struct {
	SummaryDim     int     `json:"memory_summary_dim"`     // S, 64 in the paper
	PoolSize       int     `json:"memory_pool_size"`       // P, 50 in the paper
	NoteThreshold  float64 `json:"memory_note_threshold"`  // τ1
	StateThreshold float64 `json:"memory_state_threshold"` // τ2
	Period         int     `json:"cross_layer_period"`     // p
	Window         int     `json:"memory_window"`          // W in tokens (ours)
	Replacement    string  `json:"memory_replacement"`     // "fifo" or "priority"
	Pooling        string  `json:"cross_layer_pooling"`    // "concat", "mean" or "max"
	Fusion         string  `json:"memory_fusion"`          // "residual" or "gated"
}

// The limits of a memory.
const (
	maxSummary = 256
	maxPool    = 256
	maxWindow  = 1024
)

func defaultMemory() *MemoryConfig {
	return &MemoryConfig{
		SummaryDim: 64, PoolSize: 50, NoteThreshold: 0.5, StateThreshold: 0.5, Period: absent, Window: 64,
		Replacement: "fifo", Pooling: "concat", Fusion: "residual",
	}
}

func (m *MemoryConfig) validate(layers int) error {
	if m.Period == absent {
		m.Period, layers = 4, max(4, layers) // a model of fewer layers has no cross-layer attention
	}
	for _, f := range []struct {
		name       string
		value, max int
	}{
		{"memory_summary_dim", m.SummaryDim, maxSummary},
		{"memory_pool_size", m.PoolSize, maxPool},
		{"memory_window", m.Window, maxWindow},
		{"cross_layer_period", m.Period, layers},
	} {
		if f.value < 1 || f.value > f.max {
			return fmt.Errorf("%s %d is not within 1 to %d", f.name, f.value, f.max)
		}
	}
	for _, f := range []struct {
		name, value string
		known       []string
	}{
		{"memory_replacement", m.Replacement, []string{"fifo", "priority"}},
		{"cross_layer_pooling", m.Pooling, []string{"concat", "mean", "max"}},
		{"memory_fusion", m.Fusion, []string{"residual", "gated"}},
	} {
		if !slices.Contains(f.known, f.value) {
			return fmt.Errorf("%s %q is not one of %v", f.name, f.value, f.known)
		}
	}
	return nil
}

// How it is decided whether a layer reads its own pool.
type readRule int

const (
	readsByState readRule = iota // by its recurrent state at the window's start
	readsAlways                  // after the first window: every score's sigmoid is above τ2
	readsNever                   // none is
)

func (m *MemoryConfig) reads() readRule {
	switch {
	case m.StateThreshold <= 0:
		return readsAlways
	case m.StateThreshold >= 1:
		return readsNever
	}
	return readsByState
}
