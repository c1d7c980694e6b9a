package memmamba

import (
	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
)

// recall is MemMamba's part of layer l (arXiv 2510.03279, section 4): the Note Block summarizes the
// tokens worth keeping, cross-token attention reads the layer's own pool, every p layers
// cross-layer attention reads the pools of the layers before, and what they recall is fused into x:
// x + F(c_token) + F(c_layer). x is the stream r (T, d) normalized.
func (p *pass) recall(l int, r, x graph.Value) graph.Value {
	g, w, S, y := p.Graph, p.w.Layers[l].Memory, p.state.memory.S, x
	notes := ops.Linear(g, "notes", x, w.Notes, ops.Finish{})
	p.note(l, r, notes)
	if p.attendsToken() {
		token := ops.Attend(g, "attend_token", g.Columns(notes, S, 2*S), p.ownPool(l))
		y = p.fuse(y, x, token, w.TokenOut)
	}
	if p.attendsLayer(l) {
		layer := ops.Attend(g, "attend_layer", g.Columns(notes, 2*S, 3*S), p.poolsBefore(l))
		y = p.fuse(y, x, layer, w.LayerOut)
	}
	return y
}

// recallSingle is recall for one token of each sequence, in two kernels. The norm is still to be applied to
// what it returns, unless that has no weight.
func (p *pass) recallSingle(l int, r graph.Value, norm ops.Norm) (graph.Value, ops.Norm) {
	g, w := p.Graph, p.w.Layers[l].Memory
	queries, scales := ops.NoteToken(g, "notes", r, w.Notes, w.Score, p.state.memory.places(g, l))
	var token, layer ops.Recall
	if p.attendsToken() {
		token = ops.Recall{Attention: p.ownPool(l), Fusion: w.TokenOut}
	}
	if p.attendsLayer(l) {
		layer = ops.Recall{Attention: p.poolsBefore(l), Fusion: w.LayerOut}
	}
	if token.Zero() && layer.Zero() {
		return r, norm
	}
	return ops.RecallToken(g, "recall", r, norm, scales, queries, token, layer), ops.Norm{}
}

func (p *pass) attendsToken() bool { return p.c.Memory.reads() != readsNever }

// attendsLayer leaves out the first layer, before which there is no pool.
func (p *pass) attendsLayer(l int) bool { return p.c.crosses(l) && l > 0 }

// fuse adds o_proj · a to y, gated by x where the fusion is.
func (p *pass) fuse(y, x, a graph.Value, w ops.Fusion) graph.Value {
	f := ops.Finish{Add: y}
	if !w.Gate.Zero() {
		f.Gate, f.GateBy = w.Gate, x
	}
	return ops.Linear(p.Graph, "fuse", a, w.Out, f)
}

// note is the Note Block of layer l. Notes wait for their window's end, or in a pass of several
// windows go to its log.
func (p *pass) note(l int, r, notes graph.Value) {
	to := p.state.memory.places(p.Graph, l)
	if p.log != nil {
		to = p.log.Of(l)
	}
	ops.Note(p.Graph, r, notes, p.w.Layers[l].Memory.Score, to)
	if p.log != nil {
		p.log.fill(p, l, l+1)
	}
}

// ownPool is what cross-token attention reads in layer l.
func (p *pass) ownPool(l int) ops.Attention {
	g, m := p.Graph, p.state.memory
	a := m.ownPool(g, l)
	if p.log != nil {
		a = p.log.attention(g, l, l+1, p.w.Memory.TokenKeys.Part(l, 2*m.S))
	}
	if p.c.Memory.reads() == readsByState {
		a.Reads, a.Layer = m.each(g, m.reads, 1), l
	}
	return p.complete(a)
}

// poolsBefore is what cross-layer attention reads in layer l.
func (p *pass) poolsBefore(l int) ops.Attention {
	g, c, m := p.Graph, p.c.Memory, p.state.memory
	a := (l+1)/c.Period - 1
	if p.log == nil {
		return p.complete(m.poolsBefore(g, a))
	}
	w := p.w.Memory.LayerKeys.Part(a, 2*m.S)
	if c.Pooling == "concat" {
		return p.complete(p.log.attention(g, max(0, l-c.Period), l, w))
	}
	return p.complete(p.log.joined(g, c, l, w))
}

func (p *pass) complete(a ops.Attention) ops.Attention {
	a.Window, a.Width = p.c.Memory.Window, p.c.Memory.SummaryDim
	return a
}

// beginWindow is what happens between two windows, in all layers at once: pending notes are
// committed, every layer decides whether it reads, and the pools' keys and values are projected.
func (p *pass) beginWindow() {
	g, c, m := p.Graph, p.c.Memory, p.state.memory
	log := p.openLog(0)
	log.fill(p, 0, m.L)
	log.commit(p)
	if c.reads() == readsByState {
		whole := g.Slot(stateSlot, 0, int(p.state.layerBytes/4)*p.state.layers/4, 4)
		own := p.state.convBytes + int64(m.row)*p.state.hBytes()
		ops.Decide(g, whole, int(p.state.layerBytes/4), int(own/4), p.c.StateSize,
			p.w.Memory.StateScore, p.w.Memory.StateBias, c.StateThreshold, m.one(g, m.reads, m.L, 1))
	}
	p.projectKeys()
}

// projectKeys makes the keys and values of both attentions from the pools as they are.
func (p *pass) projectKeys() {
	g, c, m := p.Graph, p.c.Memory, p.state.memory
	n := m.notes(g)
	if c.reads() != readsNever {
		ops.Keys(g, ops.Sources{Summaries: n.Summaries, Importances: n.Importances}, p.w.Memory.TokenKeys, m.one(g, m.tokenKV, m.L*m.P, 2*m.S))
	}
	if m.attending > 0 {
		worth := m.one(g, m.crossWorth, m.attending, m.crossKeys)
		sources := ops.CrossSources(g, n, c.Period, c.Pooling, worth)
		ops.Keys(g, sources, p.w.Memory.LayerKeys, m.one(g, m.crossKV, m.attending*m.crossKeys, 2*m.S))
	}
}
