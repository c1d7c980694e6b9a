package memmamba

import (
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
)

// A passLog lets a pass go through several windows: it holds every note that any of them may read,
// and which of them are in which pool in which window.
type passLog struct {
	ops.Log
	pools ops.Pools
}

// openLog begins the log of a pass, of the given number of tokens of a sequence at the most.
func (n *memNetwork) openLog(p *engine.Pass, tokens int) *passLog {
	log := ops.OpenLog(p.Graph, n.notes(p), n.pending(p), p.Together(), tokens)
	return &passLog{log, ops.NewPools(p.Graph, log, n.P)}
}

// fill finds the pools of layers [from, to) in every window, once their notes are taken.
func (log *passLog) fill(g *graph.Graph, c *MemoryConfig, from, to int) {
	ops.FillPools(g, log.Log, log.pools, c.room(), c.Replacement == "priority", from, to)
}

// commit leaves the sequences with the pools of a log's last window.
func (n *memNetwork) commit(p *engine.Pass, log *passLog) {
	ops.Commit(p.Graph, log.Log, log.pools, n.pending(p), n.notes(p))
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
