package memmamba

import (
	"fmt"

	"github.com/mmrun/mmrun/ops"
)

// layerMemory holds the parameters of one layer's memory that every token meets.
type layerMemory struct {
	// Notes is note_proj above the queries' q_proj (token, then layer attention where there is one),
	// so that a token's summary and queries are one product.
	Notes    ops.Weight // (S + S [+ S], d), sections padded
	Score    ops.Weight // (1, d+Pad): note_score's weight, padded, then its bias
	TokenOut recall     // cross-token attention
	LayerOut recall     // cross-layer attention, where (l+1) % p == 0
}

// recall takes what an attention read back into the stream: o_proj and, when fusion is gated, the
// gate's weight and bias.
type recall struct {
	Out, Gate ops.Weight // (d, S), (2, d)
}

// memoryWeights holds the parameters that the beginning of a window needs of all layers at once.
type memoryWeights struct {
	StateScore ops.Weight // (L, E)
	StateBias  ops.Weight // (L)
	TokenKeys  ops.Weight // (L·2S, S): k_proj, then v_proj of each layer
	LayerKeys  ops.Weight // the same of every layer with cross-layer attention
}

// crosses says whether layer l, counted from 0, has cross-layer attention.
func (c Config) crosses(l int) bool { return c.Memory != nil && (l+1)%c.Memory.Period == 0 }

func (l *loader) layerMemory(n int, c Config) *layerMemory {
	S, d := c.Memory.SummaryDim, c.HiddenSize
	prefix := fmt.Sprintf("backbone.layers.%d.memory.", n)
	pieces := []piece{{prefix + "note_proj.weight", []int{S}}, {prefix + "token_attn.q_proj.weight", []int{S}}}
	m := &layerMemory{TokenOut: l.recall(prefix+"token_attn.", c)}
	if c.crosses(n) {
		pieces = append(pieces, piece{prefix + "layer_attn.q_proj.weight", []int{S}})
		m.LayerOut = l.recall(prefix+"layer_attn.", c)
	}
	m.Notes = l.stack(pieces, d)
	score, bias := l.row(prefix+"note_score.weight", d), l.row(prefix+"note_score.bias", 1)
	if l.err == nil {
		m.Score = l.upload32(append(score, bias...), 1, ops.Padded(d)+ops.Pad)
	}
	return m
}

func (l *loader) recall(prefix string, c Config) recall {
	d := c.HiddenSize
	r := recall{Out: l.weight(prefix+"o_proj.weight", []int{d}, c.Memory.SummaryDim)}
	if c.Memory.Fusion == "gated" {
		gate := append(l.row(prefix+"gate.weight", d), l.row(prefix+"gate.bias", d)...)
		r.Gate = l.upload32(gate, 2, ops.Padded(d))
	}
	return r
}

func (l *loader) memory(c Config) *memoryWeights {
	E, S := c.IntermediateSize, c.Memory.SummaryDim
	var score, bias, token, layer []float32
	for n := range c.NumHiddenLayers {
		prefix := fmt.Sprintf("backbone.layers.%d.memory.", n)
		score = append(score, l.row(prefix+"state_score.weight", E)...)
		bias = append(bias, l.row(prefix+"state_score.bias", 1)...)
		token = append(token, l.keys(prefix+"token_attn.", S)...)
		if c.crosses(n) {
			layer = append(layer, l.keys(prefix+"layer_attn.", S)...)
		}
	}
	if l.err != nil {
		return nil
	}
	rows := func(numbers []float32, cols int) ops.Weight { return l.upload32(numbers, len(numbers)/cols, cols) }
	m := &memoryWeights{
		StateScore: rows(score, ops.Padded(E)),
		StateBias:  rows(bias, ops.Pad),
		TokenKeys:  rows(token, ops.Padded(S)),
	}
	if len(layer) > 0 {
		m.LayerKeys = rows(layer, ops.Padded(S))
	}
	return m
}

// keys reads the k_proj and v_proj of an attention, one below the other.
func (l *loader) keys(prefix string, S int) []float32 {
	return append(l.table(prefix+"k_proj.weight", S, S, S, S), l.table(prefix+"v_proj.weight", S, S, S, S)...)
}
