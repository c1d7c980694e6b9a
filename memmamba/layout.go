package memmamba

import (
	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
)

// stateSlot is the slot under which a state is bound to a program.
const stateSlot = "state"

// A stateLayout says where everything a sequence carries lies in one block of constant size:
// every layer's convolution inputs and h, then for MemMamba the memory. The rows of several
// sequences lie side by side in each part, so that a kernel finds all of a layer's together.
type stateLayout struct {
	rows             int // sequences
	E, N, K          int // padded
	layers           int
	convBytes, bytes int64 // of one layer's convolution; of the whole state
	layerBytes       int64
	memory           *memoryLayout
	parts            []region // all of them, in an order that does not depend on rows
}

// A region is a part of the state, of as many sequences as there are rows, one after the other.
type region struct {
	at, each int64 // its offset, and the bytes of one sequence
}

// of is where a row's part begins.
func (r region) of(row int) int64 { return r.at + int64(row)*r.each }

// layerState is one layer's recurrent state as values of a graph.
type layerState struct {
	conv graph.Value // (rows·(K-1), E), oldest first
	h    graph.Value // (rows·E, N)
}

func newStateLayout(c Config, rows int) *stateLayout {
	if c.Transformer != nil {
		return &stateLayout{rows: rows, layers: c.NumHiddenLayers} // it has a cache
	}
	s := &stateLayout{rows: rows, E: ops.Padded(c.IntermediateSize), N: ops.Padded(c.StateSize), K: c.ConvKernel, layers: c.NumHiddenLayers}
	s.convBytes = graph.Align(4 * int64(rows) * int64(s.K-1) * int64(s.E))
	s.layerBytes = s.convBytes + graph.Align(4*int64(rows)*int64(s.E)*int64(s.N))
	s.bytes = s.layerBytes * int64(s.layers)
	if c.Memory != nil {
		s.memory = newMemoryLayout(c, rows, s.bytes)
		s.bytes = s.memory.end
	}
	for l := range s.layers {
		from := int64(l) * s.layerBytes
		s.parts = append(s.parts, region{from, 4 * int64(s.K-1) * int64(s.E)},
			region{from + s.convBytes, s.hBytes()})
	}
	if s.memory != nil {
		s.parts = append(s.parts, s.memory.parts()...)
	}
	return s
}

// hBytes is the size of one h of a layer.
func (s *stateLayout) hBytes() int64 { return 4 * int64(s.E) * int64(s.N) }

// of is the layout with the memory's regions those of one row, for programs of one sequence.
func (s stateLayout) of(row int) *stateLayout {
	memory := *s.memory
	memory.row = row
	s.memory = &memory
	return &s
}

func (s *stateLayout) layer(g *graph.Graph, l int) layerState {
	from := int64(l) * s.layerBytes
	return layerState{
		conv: g.Slot(stateSlot, from, s.rows*(s.K-1), s.E),
		h:    g.Slot(stateSlot, from+s.convBytes, s.rows*s.E, s.N),
	}
}
