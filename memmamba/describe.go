package memmamba

import (
	"fmt"

	"github.com/mmrun/mmrun/engine"
)

const float = 4 // bytes

// Describe implements engine.Described.
func (c *Config) Describe() engine.Description {
	d := engine.Description{Settings: append(c.Mixer.Describe(), c.tied())}
	layers := int64(c.NumHiddenLayers)
	for _, p := range c.Mixer.sizes() {
		p.Bytes *= layers
		d.State = append(d.State, p)
	}
	pools, pending := engine.StateSize{Key: "pools", Text: "pools"}, engine.StateSize{Key: "pending_notes", Text: "pending notes"}
	m := c.Memory
	if m == nil {
		d.State = append(d.State, pools, pending)
		return d
	}
	note := float * int64(m.SummaryDim+2) // its summary, importance and position
	pools.Bytes, pending.Bytes = layers*int64(m.PoolMax)*note, layers*int64(m.Window)*note
	d.State = append(d.State, pools, pending)
	d.Sections = []engine.Section{{Key: "memory", Value: m, Lines: []string{
		fmt.Sprintf("pool P %s, summary S %d, window W %d, notes above τ1 %g, reads above τ2 %g", m.PoolText(), m.SummaryDim, m.Window, m.NoteThreshold, m.StateThreshold),
		fmt.Sprintf("cross-layer attention every p %d layers%s, %s pooling, %s replacement, %s fusion", m.Period, m.triggerText(), m.Pooling, m.Replacement, m.Fusion),
	}}}
	return d
}

// triggerText says when cross-layer attention is triggered, if it is.
func (m *MemoryConfig) triggerText() string {
	if !m.Triggered() {
		return ""
	}
	return fmt.Sprintf(" whose state scores above τ3 %g", m.LayerThreshold)
}

// Describe implements Mixer.
func (m *Mamba) Describe() []engine.Setting {
	return []engine.Setting{
		named("intermediate_size", "E", m.IntermediateSize), named("state_size", "N", m.StateSize),
		named("conv_kernel", "K", m.ConvKernel), named("time_step_rank", "R", int(m.TimeStepRank)),
	}
}

func named(key, symbol string, value int) engine.Setting {
	return engine.Setting{Key: key, Text: fmt.Sprintf("%s %d", symbol, value), Value: value}
}

func (m *Mamba) sizes() []engine.StateSize {
	E := int64(m.IntermediateSize)
	return []engine.StateSize{
		{Key: "conv", Text: "convolutions", Bytes: float * E * int64(m.ConvKernel-1)},
		{Key: "h", Text: "h", Bytes: float * E * int64(m.StateSize)},
	}
}

// Describe implements engine.Described.
func (t *Transformer) Describe() engine.Description {
	side := map[bool]string{true: "and MLP side by side", false: "before MLP"}[t.Parallel]
	return engine.Description{
		Settings: []engine.Setting{
			named("intermediate_size", "E", t.IntermediateSize),
			{Key: "num_attention_heads", Text: fmt.Sprintf("%d heads", t.Heads), Value: t.Heads},
			{Key: "rotary_pct", Text: fmt.Sprintf("%g of each turned", t.RotaryShare), Value: t.RotaryShare},
			{Key: "use_parallel_residual", Text: "attention " + side, Value: t.Parallel},
			t.tied(),
		},
		Sections: []engine.Section{{Key: "transformer", Value: t}},
		State:    []engine.StateSize{{Key: "per_token", Text: "keys and values", Bytes: 2 * float * int64(t.NumHiddenLayers) * int64(t.HiddenSize), Token: true}},
	}
}

// tied says whether the head is the embedding.
func (c *Common) tied() engine.Setting {
	text := map[bool]string{true: "tied head", false: "separate head"}[c.TieWordEmbeddings]
	return engine.Setting{Key: "tie_word_embeddings", Text: text, Value: c.TieWordEmbeddings}
}
