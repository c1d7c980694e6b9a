package engine

import (
	"fmt"

	"github.com/mmrun/mmrun/graph"
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
	row     int   // whose parts Own returns
	taps    *Taps // of somebody who looks into the pass; mostly nil
}

// Sequences is how many sequences the state has room for.
func (p *Pass) Sequences() int { return p.layout.sequences }

// Part is a part of the state of all sequences, one after the other.
// Shape: (sequences·rows, cols). The rows of a shared part are rounded up where there are several sequences.
func (p *Pass) Part(layer int, name string) graph.Value {
	r := p.region(layer, name)
	if r.each == 0 {
		return graph.Value{}
	}
	return p.Slot(stateSlot, r.at, int(r.each/4)/r.Cols*p.layout.sequences, r.Cols)
}

// OwnPart is the shared part of the one sequence that the pass is for.
// Shape: (rows, cols).
func (p *Pass) OwnPart(name string) graph.Value {
	r := p.region(Shared, name)
	if r.each == 0 {
		return graph.Value{}
	}
	return p.Slot(stateSlot, r.of(p.row), r.Rows, r.Cols)
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

// AllLayers is the block of the state with where in it the pass's sequence has the part that every layer has
// by this name: first numbers in, and stride numbers from layer to layer.
// Shape: rows of four numbers.
func (p *Pass) AllLayers(name string, layers int) (state graph.Value, stride, first int) {
	var at []int64
	for l := range layers {
		at = append(at, p.region(l, name).of(p.row)/4)
	}
	if layers > 1 {
		stride = int(at[1] - at[0])
	}
	for l := range at {
		if at[l] != at[0]+int64(l*stride) {
			p.Fail(fmt.Errorf("the parts %s of all layers do not lie evenly", name))
		}
	}
	return p.Slot(stateSlot, 0, int(p.layout.bytes/16), 4), stride, int(at[0])
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
