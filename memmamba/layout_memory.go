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
	rows, row        int // sequences, and the one that programs of one are for
	pool, importance region
	position, reads  region
	pending, noted   region
	derived          int64 // from here on: keys and values, which follow from the pools
	tokenKV, crossKV region
	crossWorth       region
	end              int64
}

func newMemoryLayout(c Config, rows int, from int64) *memoryLayout {
	m := &memoryLayout{
		rows: rows, L: c.NumHiddenLayers, P: c.Memory.PoolSize, W: c.Memory.Window, S: ops.Padded(c.Memory.SummaryDim),
		attending: c.NumHiddenLayers / c.Memory.Period, crossKeys: c.Memory.PoolSize, end: from,
	}
	if c.Memory.Pooling == "concat" {
		m.crossKeys *= c.Memory.Period
	}
	// place makes room for so many rows of cols numbers in each of so many layers.
	place := func(layers, rows, cols int) region {
		r := region{m.end, 4 * int64(m.apart(layers, rows)) * int64(rows) * int64(cols)}
		m.end = graph.Align(r.of(m.rows))
		return r
	}
	m.pool, m.importance, m.position = place(m.L, m.P, m.S), place(m.L, m.P, 1), place(m.L, m.P, 1)
	m.reads = place(m.L, 1, 1)
	m.pending, m.noted = place(m.L, m.W, m.S), place(m.L, m.W, 1)
	m.derived = m.end
	m.tokenKV = place(m.L, m.P, 2*m.S)
	if m.attending > 0 {
		m.crossKV, m.crossWorth = place(m.attending, m.crossKeys, 2*m.S), place(m.attending, m.crossKeys, 1)
	}
	return m
}

// apart is how many layers' worth of rows each lie from sequence to sequence: all there are, and among
// several sequences a few more, so that every one's begins where it can be bound.
func (m *memoryLayout) apart(layers, rows int) int {
	if m.rows == 1 {
		return layers
	}
	const numbers = 64 // between places that can be bound, of the narrowest rows
	for layers*rows%numbers != 0 {
		layers++
	}
	return layers
}

// parts are all regions.
func (m *memoryLayout) parts() []region {
	all := []region{m.pool, m.importance, m.position, m.reads, m.pending, m.noted, m.tokenKV}
	if m.attending > 0 {
		all = append(all, m.crossKV, m.crossWorth)
	}
	return all
}

// one is the region of one sequence as a value of rows of cols numbers.
func (m *memoryLayout) one(g *graph.Graph, r region, rows, cols int) graph.Value {
	return g.Slot(stateSlot, r.of(m.row), rows, cols)
}

// each is the region of all sequences as a value of rows of cols numbers.
func (m *memoryLayout) each(g *graph.Graph, r region, cols int) graph.Value {
	return g.Slot(stateSlot, r.at, int(r.each/4)/cols*m.rows, cols)
}

func (m *memoryLayout) notes(g *graph.Graph) ops.Notes {
	return ops.Notes{
		Summaries:   m.one(g, m.pool, m.L*m.P, m.S),
		Importances: m.one(g, m.importance, m.L, m.P),
		Positions:   m.one(g, m.position, m.L, m.P),
	}
}

func (m *memoryLayout) pendingNotes(g *graph.Graph) ops.Pending {
	return ops.Pending{
		Summaries:   m.one(g, m.pending, m.L*m.W, m.S),
		Importances: m.one(g, m.noted, m.L, m.W),
	}
}

// places are where the notes of layer l wait, of all sequences.
func (m *memoryLayout) places(g *graph.Graph, l int) ops.Places {
	return ops.Pending{Summaries: m.each(g, m.pending, m.S), Importances: m.each(g, m.noted, m.W)}.OfEach(l, m.rows)
}

// ownPool is layer l's attention to its own pool during a window, of all sequences.
func (m *memoryLayout) ownPool(g *graph.Graph, l int) ops.Attention {
	return ops.Attention{
		KV:          m.each(g, m.tokenKV, 2*m.S),
		Importances: m.each(g, m.importance, m.P),
		Keys:        m.P, First: l * m.P, Sequences: m.rows,
	}
}

// poolsBefore is layer l's attention to the pools of the layers before it during a window, of all
// sequences; it is the a-th such layer.
func (m *memoryLayout) poolsBefore(g *graph.Graph, a int) ops.Attention {
	return ops.Attention{
		KV:          m.each(g, m.crossKV, 2*m.S),
		Importances: m.each(g, m.crossWorth, m.crossKeys),
		Keys:        m.crossKeys, First: a * m.crossKeys, Sequences: m.rows,
	}
}
