package memmamba

import (
	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
)

// recall is MemMamba's part of layer l (arXiv 2510.03279, section 4): the Note Block summarizes the
// tokens worth keeping, cross-token attention reads the layer's own pool, every p layers
// cross-layer attention reads the pools of the layers before, and what they recall is fused into x:
// x + F(c_token) + F(c_layer). x is the normalized stream (T, d).
func (p *pass) recall(l int, x graph.Value) graph.Value {
	g, w, m := p.Graph, p.w.Layers[l].Memory, p.state.memory
	notes := ops.Linear(g, "notes", x, w.Notes, ops.Finish{Bias: w.NotesBias})
	ops.Note(g, notes, w.Notes.Rows-ops.Pad, p.c.Memory.NoteThreshold, m.pendingNotes(g), l)

	token := ops.Attend(g, "attend_token", g.Columns(notes, m.S, 2*m.S), m.tokenAttention(g, p.c, l))
	y := p.fuse(x, x, token, w.TokenOut)
	if p.c.crosses(l) {
		layer := ops.Attend(g, "attend_layer", g.Columns(notes, 2*m.S, 3*m.S), m.layerAttention(g, p.c, l))
		y = p.fuse(y, x, layer, w.LayerOut)
	}
	return y
}

// fuse adds o_proj · a to y, gated by x where the fusion is.
func (p *pass) fuse(y, x, a graph.Value, r recall) graph.Value {
	f := ops.Finish{Add: y}
	if !r.Gate.Zero() {
		f.Gate, f.GateBy = r.Gate, x
	}
	return ops.Linear(p.Graph, "fuse", a, r.Out, f)
}

// beginWindow is what happens between two windows, in all layers at once: pending notes are
// committed, every layer decides whether it reads, and the pools' keys and values are projected.
func (p *pass) beginWindow() {
	g, c, m := p.Graph, p.c.Memory, p.state.memory
	ops.Commit(g, m.pendingNotes(g), m.notes(g), c.Replacement == "priority")
	whole := g.Slot(stateSlot, 0, int(p.state.layerBytes/4)*p.state.layers/4, 4)
	ops.Decide(g, whole, int(p.state.layerBytes/4), int(p.state.convBytes/4), p.c.StateSize,
		p.w.Memory.StateScore, p.w.Memory.StateBias, c.StateThreshold, g.Slot(stateSlot, m.reads, m.L, 1))
	p.projectKeys()
}

// projectKeys makes the keys and values of both attentions from the pools as they are.
func (p *pass) projectKeys() {
	g, c, m := p.Graph, p.c.Memory, p.state.memory
	n := m.notes(g)
	ops.Keys(g, ops.Sources{Summaries: n.Summaries, Importances: n.Importances}, p.w.Memory.TokenKeys, g.Slot(stateSlot, m.tokenKV, m.L*m.P, 2*m.S))
	if m.attending > 0 {
		worth := g.Slot(stateSlot, m.crossWorth, m.attending, m.crossKeys)
		sources := ops.CrossSources(g, n, c.Period, c.Pooling, worth)
		ops.Keys(g, sources, p.w.Memory.LayerKeys, g.Slot(stateSlot, m.crossKV, m.attending*m.crossKeys, 2*m.S))
	}
}

func (m *memoryLayout) pendingNotes(g *graph.Graph) ops.Pending {
	return ops.Pending{
		Summaries:   g.Slot(stateSlot, m.pending, m.L*m.W, m.S),
		Importances: g.Slot(stateSlot, m.noted, m.L, m.W),
	}
}

func (m *memoryLayout) tokenAttention(g *graph.Graph, c Config, l int) ops.Attention {
	return ops.Attention{
		KV:          g.Slot(stateSlot, m.tokenKV, m.L*m.P, 2*m.S),
		Importances: g.Slot(stateSlot, m.importance, m.L, m.P),
		Index:       l, Layer: l, Width: c.Memory.SummaryDim,
		Reads: g.Slot(stateSlot, m.reads, m.L, 1),
	}
}

func (m *memoryLayout) layerAttention(g *graph.Graph, c Config, l int) ops.Attention {
	return ops.Attention{
		KV:          g.Slot(stateSlot, m.crossKV, m.attending*m.crossKeys, 2*m.S),
		Importances: g.Slot(stateSlot, m.crossWorth, m.attending, m.crossKeys),
		Index:       (l+1)/c.Memory.Period - 1, Width: c.Memory.SummaryDim,
	}
}
