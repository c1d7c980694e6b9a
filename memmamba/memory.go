package memmamba

import (
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
)

// A memNetwork is MemMamba (arXiv 2510.03279) over a backbone of any mixer: what the memory recalls is fused into
// the input of every mixer.
type memNetwork struct {
	*network
	*memoryState
	c       *MemoryConfig
	N       int // states of h without padding
	memory  []layerMemory
	windows memoryWeights
}

// A memPass is what the memory keeps of a pass from layer to layer: the log, where it goes through several
// windows.
type memPass struct{ log *passLog }

// log is the log of a pass, nil for one of a single window.
func logOf(p *engine.Pass) *passLog {
	if own, ok := p.Own.(*memPass); ok {
		return own.log
	}
	return nil
}

// Block takes the residual stream r (T, d) through layer l: r = r + mixer(x + F(c_token) + F(c_layer)) with
// x = RMSNorm(r).
func (n *memNetwork) Block(p *engine.Pass, l int, r graph.Value) {
	var x graph.Value
	var norm ops.Norm
	if p.Single && !p.Tapped() {
		x, norm = n.recallToken(p, l, r)
	} else {
		x = n.recall(p, l, r, n.normalized(p, l, r))
	}
	n.layers[l].mixer.add(p, l, r, x, norm)
}

// recall is the memory's part of layer l (arXiv 2510.03279, section 4): the Note Block summarizes the
// tokens worth keeping, cross-token attention reads the layer's own pool, every p layers
// cross-layer attention reads the pools of the layers before, and what they recall is fused into x:
// x + F(c_token) + F(c_layer). x is the stream r (T, d) normalized.
func (n *memNetwork) recall(p *engine.Pass, l int, r, x graph.Value) graph.Value {
	g, w, S, y := p.Graph, &n.memory[l], n.S, x
	notes := ops.Linear(g, "notes", x, w.Notes, ops.Finish{})
	n.note(p, l, r, notes)
	if n.attendsToken() {
		token := ops.Attend(g, "attend_token", g.Columns(notes, S, 2*S), n.ownPool(p, l))
		y = fuse(g, y, x, token, w.TokenOut)
	}
	if n.attendsLayer(l) {
		layer := ops.Attend(g, "attend_layer", g.Columns(notes, 2*S, 3*S), n.poolsBefore(p, l))
		y = fuse(g, y, x, layer, w.LayerOut)
	}
	return y
}

// recallToken is recall for one token of each sequence, in two kernels. The norm is still to be applied to
// what it returns, unless that has no weight.
func (n *memNetwork) recallToken(p *engine.Pass, l int, r graph.Value) (graph.Value, ops.Norm) {
	g, w, norm := p.Graph, &n.memory[l], n.layers[l].norm
	queries, scales := ops.NoteToken(g, "notes", r, w.Notes, w.Score, n.pending(p).Of(l))
	var token, layer ops.Recall
	if n.attendsToken() {
		token = ops.Recall{Attention: n.ownPool(p, l), Fusion: w.TokenOut}
	}
	if n.attendsLayer(l) {
		layer = ops.Recall{Attention: n.poolsBefore(p, l), Fusion: w.LayerOut}
	}
	if token.Zero() && layer.Zero() {
		return r, norm
	}
	return ops.RecallToken(g, "recall", r, norm, scales, queries, token, layer), ops.Norm{}
}

func (n *memNetwork) attendsToken() bool { return n.c.reads() != readsNever }

// attendsLayer leaves out the first layer, before which there is no pool.
func (n *memNetwork) attendsLayer(l int) bool {
	return n.c.crosses(l) && l > 0 && n.c.layerReads() != readsNever
}

// fuse adds o_proj · a to y, gated by x where the fusion is.
func fuse(g *graph.Graph, y, x, a graph.Value, w ops.Fusion) graph.Value {
	f := ops.Finish{Add: y}
	if !w.Gate.Zero() {
		f.Gate, f.GateBy = w.Gate, x
	}
	return ops.Linear(g, "fuse", a, w.Out, f)
}

// note is the Note Block of layer l. Notes wait for their window's end, or in a pass of several
// windows go to its log.
func (n *memNetwork) note(p *engine.Pass, l int, r, notes graph.Value) {
	log, to := logOf(p), ops.Places{}
	if log == nil {
		to = n.pending(p).Of(l)
	} else {
		to = log.Of(l)
	}
	ops.Note(p.Graph, r, notes, n.memory[l].Score, to)
	if log != nil {
		log.fill(p.Graph, n.c, l, l+1)
	}
}

// ownPool is what cross-token attention reads in layer l.
func (n *memNetwork) ownPool(p *engine.Pass, l int) ops.Attention {
	var a ops.Attention
	if log := logOf(p); log != nil {
		a = log.attention(p.Graph, l, l+1, n.windows.TokenKeys.Part(l, 2*n.S))
	} else {
		a = n.tokenAttention(p, l)
	}
	if n.c.reads() == readsByState {
		a.Reads, a.Layer = p.Part(engine.Shared, readsPart), l
	}
	return n.complete(a)
}

// poolsBefore is what cross-layer attention reads in layer l.
func (n *memNetwork) poolsBefore(p *engine.Pass, l int) ops.Attention {
	a, log := (l+1)/n.c.Period-1, logOf(p)
	if log == nil {
		attention := n.layerAttention(p, a)
		if n.layerDecides {
			attention.Reads, attention.Layer = p.Part(engine.Shared, layerReadsPart), a
		}
		return n.complete(attention)
	}
	w := n.windows.LayerKeys.Part(a, 2*n.S)
	if n.c.Pooling == "concat" {
		return n.complete(log.attention(p.Graph, max(0, l-n.c.Period), l, w))
	}
	return n.complete(log.joined(p.Graph, n.c, l, w))
}

func (n *memNetwork) complete(a ops.Attention) ops.Attention {
	a.Window, a.Width = n.c.Window, n.c.SummaryDim
	return a
}

// Window implements engine.Windowed. A pass goes through several windows where no read depends on the recurrent
// state, which is known only once the windows before have been through the layer.
func (n *memNetwork) Window() (tokens int, across bool) {
	return n.c.Window, !n.decides
}

// Begin implements engine.Windowed, in all layers of all sequences at once: pending notes are committed, every layer decides
// whether it reads, and the pools' keys and values are projected.
func (n *memNetwork) Begin(p *engine.Pass) {
	log := n.openLog(p, 0)
	log.fill(p.Graph, n.c, 0, n.L)
	n.commit(p, log)
	if n.c.reads() == readsByState {
		reads := p.Part(engine.Shared, readsPart)
		ops.Decide(p.Graph, p.AllLayers(hPart, n.L), p.Together(), n.N, n.windows.StateScore, n.windows.StateBias, n.c.StateThreshold, reads)
	}
	if n.layerDecides {
		h, reads := p.AllLayers(hPart, n.L).Every(n.c.Period), p.Part(engine.Shared, layerReadsPart)
		ops.Decide(p.Graph, h, p.Together(), n.N, n.windows.LayerScore, n.windows.LayerBias, n.c.LayerThreshold, reads)
	}
	n.Restore(p)
}

// Restore implements engine.Windowed: it makes the keys and values of both attentions from the pools as they are.
func (n *memNetwork) Restore(p *engine.Pass) {
	g, notes := p.Graph, n.notes(p)
	if n.attendsToken() {
		ops.Keys(g, notes.Sources(p.Together()), n.windows.TokenKeys, p.Part(engine.Shared, tokenKVPart))
	}
	if n.attending > 0 && n.c.layerReads() != readsNever {
		sources := ops.CrossSources(g, notes, p.Together(), n.c.Period, n.c.Pooling, p.Part(engine.Shared, crossWorthPart))
		ops.Keys(g, sources, n.windows.LayerKeys, p.Part(engine.Shared, crossKVPart))
	}
}

// Open implements engine.Windowed.
func (n *memNetwork) Open(p *engine.Pass) { p.Own = &memPass{n.openLog(p, p.Tokens)} }

// Close implements engine.Windowed.
func (n *memNetwork) Close(p *engine.Pass) {
	n.commit(p, logOf(p))
	n.Restore(p)
}
