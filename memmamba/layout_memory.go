package memmamba

import (
	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
)

// A memoryLayout says where the memory of a sequence lies in its state, all layers side by side.
type memoryLayout struct {
	L, P, W, S       int // S padded
	attending        int // layers with cross-layer attention
	crossKeys        int // keys of each
	pool, importance int64
	position, reads  int64
	pending, noted   int64
	derived          int64 // from here on: keys and values, which follow from the pools
	tokenKV, crossKV int64
	crossWorth, end  int64
}

func newMemoryLayout(c Config, from int64) *memoryLayout {
	m := &memoryLayout{
		L: c.NumHiddenLayers, P: c.Memory.PoolSize, W: c.Memory.Window, S: ops.Padded(c.Memory.SummaryDim),
		attending: c.NumHiddenLayers / c.Memory.Period, crossKeys: c.Memory.PoolSize, end: from,
	}
	if c.Memory.Pooling == "concat" {
		m.crossKeys *= c.Memory.Period
	}
	place := func(rows, cols int) int64 {
		at := m.end
		m.end = graph.Align(at + 4*int64(rows)*int64(cols))
		return at
	}
	m.pool, m.importance, m.position = place(m.L*m.P, m.S), place(m.L, m.P), place(m.L, m.P)
	m.reads = place(m.L, 1)
	m.pending, m.noted = place(m.L*m.W, m.S), place(m.L, m.W)
	m.derived = m.end
	m.tokenKV = place(m.L*m.P, 2*m.S)
	if m.attending > 0 {
		m.crossKV, m.crossWorth = place(m.attending*m.crossKeys, 2*m.S), place(m.attending, m.crossKeys)
	}
	return m
}

func (m *memoryLayout) notes(g *graph.Graph) ops.Notes {
	return ops.Notes{
		Summaries:   g.Slot(stateSlot, m.pool, m.L*m.P, m.S),
		Importances: g.Slot(stateSlot, m.importance, m.L, m.P),
		Positions:   g.Slot(stateSlot, m.position, m.L, m.P),
	}
}

func (m *memoryLayout) pendingNotes(g *graph.Graph) ops.Pending {
	return ops.Pending{
		Summaries:   g.Slot(stateSlot, m.pending, m.L*m.W, m.S),
		Importances: g.Slot(stateSlot, m.noted, m.L, m.W),
	}
}

// ownPool is layer l's attention to its own pool during a window.
func (m *memoryLayout) ownPool(g *graph.Graph, l int) ops.Attention {
	return ops.Attention{
		KV:          g.Slot(stateSlot, m.tokenKV, m.L*m.P, 2*m.S),
		Importances: g.Slot(stateSlot, m.importance, m.L, m.P),
		Keys:        m.P, First: l * m.P,
	}
}

// poolsBefore is layer l's attention to the pools of the layers before it during a window; it is the
// a-th such layer.
func (m *memoryLayout) poolsBefore(g *graph.Graph, a int) ops.Attention {
	return ops.Attention{
		KV:          g.Slot(stateSlot, m.crossKV, m.attending*m.crossKeys, 2*m.S),
		Importances: g.Slot(stateSlot, m.crossWorth, m.attending, m.crossKeys),
		Keys:        m.crossKeys, First: a * m.crossKeys,
	}
}
