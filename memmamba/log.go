package memmamba

import (
	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
)

// A passLog lets a pass go through several windows: it holds every note that any of them may read,
// and which of them are in which pool in which window. It is possible where no read depends on the
// recurrent state, which is known only once the windows before have been through the layer.
type passLog struct {
	ops.Log
	pools ops.Pools
}

// openLog begins the log of a pass of so many tokens at the most.
func (p *pass) openLog(tokens int) *passLog {
	g, m := p.Graph, p.state.memory
	log := ops.OpenLog(g, m.notes(g), m.pendingNotes(g), tokens)
	return &passLog{log, ops.NewPools(g, log, m.P)}
}

// fill finds the pools of layers [from, to) in every window, once their notes are taken.
func (log *passLog) fill(p *pass, from, to int) {
	ops.FillPools(p.Graph, log.Log, log.pools, p.c.Memory.Replacement == "priority", from, to)
}

// commit leaves the sequence with the pools of the last window.
func (log *passLog) commit(p *pass) {
	m := p.state.memory
	ops.Commit(p.Graph, log.Log, log.pools, m.pendingNotes(p.Graph), m.notes(p.Graph))
}

// attention is to all notes of the pools of layers [from, to), whose keys are projected once for the
// whole pass.
func (log *passLog) attention(g *graph.Graph, from, to int, w ops.Weight) ops.Attention {
	L, rows, P, S := log.Importances.Rows, log.Importances.Cols, log.pools.Cols, log.Summaries.Cols
	kv := g.Temp((to-from)*rows, 2*S)
	ops.Keys(g, ops.Sources{Summaries: log.Summaries, Importances: log.Importances, First: from * rows, Rows: kv.Rows}, w, kv)
	return ops.Attention{
		KV: kv, Importances: log.Importances, Pools: log.pools.Value,
		Keys: (to - from) * P, First: from * P, Step: L * P, Base: from * rows,
	}
}

// joined is to the pools of the layers before l joined note by note, in every window anew.
func (log *passLog) joined(g *graph.Graph, c *MemoryConfig, l int, w ops.Weight) ops.Attention {
	s := ops.WindowSources(g, log.Log, log.pools, c.Period, c.Pooling, l)
	kv := g.Temp(s.Summaries.Rows, 2*s.Summaries.Cols)
	ops.Keys(g, s, w, kv)
	return ops.Attention{KV: kv, Importances: s.Importances, Keys: log.pools.Cols, Step: log.pools.Cols}
}
