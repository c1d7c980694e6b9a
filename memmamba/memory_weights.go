package memmamba

import (
	"github.com/mmrun/mmrun/engine"
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
	LayerScore ops.Weight // (attending, E), where states decide whether layers before are read
	LayerBias  ops.Weight // (attending)
	TokenKeys  ops.Weight // (L·2S, S): k_proj, then v_proj of each layer
	LayerKeys  ops.Weight // the same of every layer with cross-layer attention
}

// loadMemory gives a backbone its memory.
func (c *Config) loadMemory(l *engine.Loader, backbone *network) engine.Network {
	n := &memNetwork{network: backbone, memoryState: c.memoryState(), c: c.Memory}
	_, n.N = c.Mixer.Inner()
	for i := range n.L {
		n.memory = append(n.memory, c.loadLayerMemory(l, i, backbone.layers[i].norm))
	}
	n.windows = c.loadWindows(l)
	return n
}

// memoryName is how the names of a layer's memory begin.
func memoryName(l int) string { return layerName(l) + "memory." }

func (c *Config) loadLayerMemory(l *engine.Loader, layer int, norm ops.Norm) layerMemory {
	S, d, prefix := c.Memory.SummaryDim, c.HiddenSize, memoryName(layer)
	attentions := []string{"token_attn."}
	if c.Memory.crosses(layer) {
		attentions = append(attentions, "layer_attn.")
	}
	notes, outs := []engine.Piece{{Name: prefix + "note_proj.weight", Sections: []int{S}}}, []engine.Piece(nil)
	for _, attention := range attentions {
		notes = append(notes, engine.Piece{Name: prefix + attention + "q_proj.weight", Sections: []int{S}})
		outs = append(outs, engine.Piece{Name: prefix + attention + "o_proj.weight", Sections: []int{d}})
	}
	m := layerMemory{Notes: l.Stack(d, notes...), Score: c.loadScorer(l, layer, norm)}
	weights, fusions := l.Alike(S, outs...), make([]ops.Fusion, 2)
	for i, attention := range attentions {
		fusions[i] = ops.Fusion{Out: weights[i], Gate: c.loadGate(l, prefix+attention)}
	}
	m.TokenOut, m.LayerOut = fusions[0], fusions[1]
	return m
}

// loadScorer loads note_score of a layer, which sees the layer's norm.
func (c *Config) loadScorer(l *engine.Loader, layer int, norm ops.Norm) ops.Scorer {
	d, prefix := c.HiddenSize, memoryName(layer)+"note_score."
	w, of, bias := l.Row(prefix+"weight", d), l.Row(layerName(layer)+"norm.weight", d), l.Row(prefix+"bias", 1)
	for i := range w {
		w[i] *= of[i]
	}
	return ops.Scorer{Weight: l.Put(append(w, bias...), 1, ops.Padded(d)+ops.Pad), Norm: norm, Threshold: c.Memory.NoteThreshold}
}

// loadGate loads the gate of an attention where fusion is gated.
func (c *Config) loadGate(l *engine.Loader, prefix string) ops.Weight {
	if c.Memory.Fusion != "gated" {
		return ops.Weight{}
	}
	gate := append(l.Row(prefix+"gate.weight", c.HiddenSize), l.Row(prefix+"gate.bias", c.HiddenSize)...)
	return l.Put(gate, 2, ops.Padded(c.HiddenSize))
}

// loadWindows loads what the beginning of a window needs.
func (c *Config) loadWindows(l *engine.Loader) memoryWeights {
	E, _ := c.Mixer.Inner()
	S := c.Memory.SummaryDim
	var score, bias, layerScore, layerBias, token, layer []float32
	for n := range c.NumHiddenLayers {
		prefix := memoryName(n)
		score = append(score, l.Row(prefix+"state_score.weight", E)...)
		bias = append(bias, l.Row(prefix+"state_score.bias", 1)...)
		token = append(token, loadKeys(l, prefix+"token_attn.", S)...)
		if c.Memory.crosses(n) {
			layer = append(layer, loadKeys(l, prefix+"layer_attn.", S)...)
		}
		if c.Memory.Triggers(n) {
			layerScore = append(layerScore, l.Row(prefix+"layer_score.weight", E)...)
			layerBias = append(layerBias, l.Row(prefix+"layer_score.bias", 1)...)
		}
	}
	put := func(numbers []float32, cols int) ops.Weight { return l.Put(numbers, len(numbers)/cols, cols) }
	m := memoryWeights{StateScore: put(score, ops.Padded(E)), StateBias: put(bias, ops.Pad), TokenKeys: put(token, ops.Padded(S))}
	if len(layer) > 0 {
		m.LayerKeys = put(layer, ops.Padded(S))
	}
	if len(layerScore) > 0 {
		m.LayerScore, m.LayerBias = put(layerScore, ops.Padded(E)), put(layerBias, ops.Pad)
	}
	return m
}

// loadKeys reads the k_proj and v_proj of an attention, one below the other.
func loadKeys(l *engine.Loader, prefix string, S int) []float32 {
	return append(l.Table(prefix+"k_proj.weight", S, S, S, S), l.Table(prefix+"v_proj.weight", S, S, S, S)...)
}
