package engine

import (
	"fmt"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
)

// A Pass is one model run under construction: some tokens of one sequence, or one token of each of several.
type Pass struct {
	*graph.Graph
	Tokens int  // rows of the residual stream, at the most
	Single bool // one token of each sequence: what is a scan over many is one step

	// Across says that the pass may go through several windows.
	Across bool

	// Own is what a network keeps from one block of the pass to the next.
	Own any

	network Network
	layers  int
	layout  *layout
	taps    *Taps // of somebody who looks into the pass; mostly nil
}

// Sequences is how many sequences the state has room for.
func (p *Pass) Sequences() int { return p.layout.sequences }

// Together is how many sequences the pass is of, at the most.
func (p *Pass) Together() int {
	if p.Single {
		return p.Tokens
	}
	return 1
}

// Part is a part of the state of all sequences, one after the other.
// Shape: (sequences·rows, cols). The rows of a shared part are rounded up where there are several sequences.
func (p *Pass) Part(layer int, name string) graph.Value {
	r := p.region(layer, name)
	if r.each == 0 {
		return graph.Value{}
	}
	return p.Slot(stateSlot, r.at, int(r.each/4)/r.Cols*p.layout.sequences, r.Cols)
}

// Growing is the part of a layer that has a row for every token, of the sequence in a row of the state.
// Shape: (tokens, cols), as many as there are when the program runs.
func (p *Pass) Growing(layer int, name string, row int) graph.Value {
	for _, part := range p.layout.growing {
		if part.Layer == layer && part.Name == name {
			return p.Whole(growingSlot(part, row), part.Rows*part.Cols)
		}
	}
	p.Fail(fmt.Errorf("there is no growing part %s of layer %d", name, layer))
	return graph.Value{}
}

// AllLayers is where all sequences have the part that every layer has by this name.
func (p *Pass) AllLayers(name string, layers int) ops.Layered {
	first := p.region(0, name)
	all := ops.Layered{
		Block: p.Slot(stateSlot, 0, int(p.layout.bytes/16), 4), First: int(first.at / 4),
		Sequence: int(first.each / 4), Sequences: p.layout.sequences,
	}
	if layers > 1 {
		all.Layer = int((p.region(1, name).at - first.at) / 4)
	}
	for l := range layers {
		if r := p.region(l, name); int(r.at/4) != all.First+l*all.Layer || r.each != first.each {
			p.Fail(fmt.Errorf("the parts %s of all layers do not lie evenly", name))
		}
	}
	return all
}

func (p *Pass) region(layer int, name string) region {
	r, err := p.layout.find(layer, name)
	if err != nil {
		p.Fail(err)
	}
	return r
}

// blocks takes the residual stream r through all layers, with what a windowed network has to do around them.
func (p *Pass) blocks(r graph.Value) {
	windowed, _ := p.network.(Windowed)
	if p.Across {
		windowed.Open(p)
	}
	for l := range p.layers {
		p.network.Block(p, l, r)
	}
	if p.Across {
		windowed.Close(p)
	}
}

// Tapped says whether somebody looks into the pass: a network then keeps values apart that it would else not
// make, and calls Tap for each.
func (p *Pass) Tapped() bool { return p.taps != nil }

// Tap shows columns [from, to) of every row of v, under a name, to whoever looks into the pass.
func (p *Pass) Tap(layer int, name string, v graph.Value, from, to int) {
	if p.taps != nil {
		p.taps.add(p, Tap{Layer: layer, Name: name, Width: to - from, From: 4 * int64(from)}, v)
	}
}

// Taps say what a pass is tapped for, one after the other in a slot.
type Taps struct {
	Slot  string // where they lie
	Bytes int64  // in all
	Kept  []Tap
}

// A Tap is where the rows of a tapped value lie in the slot.
type Tap struct {
	Layer        int
	Name         string
	Width        int   // numbers of a row that are meant
	From         int64 // bytes before the first of them
	Stride, Rows int   // numbers from row to row; rows at the most
}

func (t *Taps) add(p *Pass, one Tap, v graph.Value) {
	if !v.Packed() {
		p.Fail(fmt.Errorf("tap %s: shape %v is a view", one.Name, v.Shape()))
		return
	}
	one.From, one.Stride, one.Rows = one.From+t.Bytes, v.Stride, v.Rows
	t.Kept = append(t.Kept, one)
	p.Copy(p.Slot(t.Slot, t.Bytes, v.Rows, v.Cols), v)
	t.Bytes = graph.Align(t.Bytes + v.Bytes())
}
