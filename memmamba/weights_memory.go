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
	Score    ops.Scorer // note_score
	TokenOut ops.Fusion // of cross-token attention: o_proj and, when fusion is gated, the gate
	LayerOut ops.Fusion // of cross-layer attention, where (l+1) % p == 0
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

func (l *loader) layerMemory(n int, norm ops.Norm, c Config) *layerMemory {
	S, d := c.Memory.SummaryDim, c.HiddenSize
	layer := fmt.Sprintf("backbone.layers.%d.", n)
	prefix, attentions := layer+"memory.", []string{"token_attn."}
	if c.crosses(n) {
		attentions = append(attentions, "layer_attn.")
	}
	pieces, outs := []piece{{prefix + "note_proj.weight", []int{S}}}, []matrix(nil)
	for _, attention := range attentions {
		pieces = append(pieces, piece{prefix + attention + "q_proj.weight", []int{S}})
		outs = append(outs, l.matrix(S, piece{prefix + attention + "o_proj.weight", []int{d}}))
	}
	alike(outs)
	m, fusions := &layerMemory{Notes: l.stack(d, pieces...), Score: l.scorer(layer, norm, c)}, make([]ops.Fusion, 2)
	for i, attention := range attentions {
		fusions[i] = ops.Fusion{Out: l.place(outs[i]), Gate: l.gate(prefix+attention, c)}
	}
	m.TokenOut, m.LayerOut = fusions[0], fusions[1]
	return m
}

// scorer loads note_score of a layer, which sees the layer's norm.
func (l *loader) scorer(layer string, norm ops.Norm, c Config) ops.Scorer {
	d, prefix := c.HiddenSize, layer+"memory.note_score."
	w, of, bias := l.row(prefix+"weight", d), l.row(layer+"norm.weight", d), l.row(prefix+"bias", 1)
	for i := range w {
		w[i] *= of[i]
	}
	return ops.Scorer{Weight: l.upload32(append(w, bias...), 1, ops.Padded(d)+ops.Pad), Norm: norm, Threshold: c.Memory.NoteThreshold}
}

// gate loads the gate of an attention where fusion is gated.
func (l *loader) gate(prefix string, c Config) ops.Weight {
	if c.Memory.Fusion != "gated" {
		return ops.Weight{}
	}
	gate := append(l.row(prefix+"gate.weight", c.HiddenSize), l.row(prefix+"gate.bias", c.HiddenSize)...)
	return l.upload32(gate, 2, ops.Padded(c.HiddenSize))
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
