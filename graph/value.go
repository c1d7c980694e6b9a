package graph

import (
	"fmt"

	"github.com/mmrun/mmrun/vk"
)

// A Value is a matrix of 32-bit numbers in device memory: Rows rows of Cols numbers, Stride numbers
// apart. It may be a view of some columns of another value. Widths, strides and offsets are whole
// vectors of four.
type Value struct {
	home         *home
	Rows, Cols   int
	Stride, From int // numbers from row to row, and before the first row
	part         int // see Part
}

// Zero says whether v is no value at all, as an optional argument left out.
func (v Value) Zero() bool { return v.home == nil }

// Shape is the value's shape for messages.
func (v Value) Shape() []int { return []int{v.Rows, v.Cols} }

// Packed says whether the rows follow one another without a gap.
func (v Value) Packed() bool { return v.Stride == v.Cols && v.From == 0 }

// Bytes is the size of the numbers in view.
func (v Value) Bytes() int64 { return 4 * int64(v.Rows) * int64(v.Cols) }

type homeKind int

const (
	temporary homeKind = iota // in the arena, between its first write and its last use
	constant                  // a span known when the graph is built
	slot                      // a span given when the program is recorded
)

// A home is where one or more values live.
type home struct {
	kind        homeKind
	name        string  // of a slot
	span        vk.Span // of a constant
	offset      int64   // in the slot, or in the arena once planned
	size        int64
	whole       bool // all of a slot, however large that is
	first, last int  // nodes that use it, for temporaries; -1 before any
}

const alignment = 256 // of every home; no device asks for more

// Temp returns a value that lives in the arena from its first write to its last use.
func (g *Graph) Temp(rows, cols int) Value {
	return g.add(&home{kind: temporary, first: -1, last: -1}, rows, cols)
}

// Constant returns a value over a span that is the same whenever the program runs, such as a weight.
func (g *Graph) Constant(span vk.Span, rows, cols int) Value {
	v := g.add(&home{kind: constant, span: span}, rows, cols)
	if v.home.size > span.Size {
		g.Fail(fmt.Errorf("constant: shape %v needs %d bytes, the span has %d", v.Shape(), v.home.size, span.Size))
	}
	v.home.size = span.Size
	return v
}

// Slot returns a value at an offset in bytes of a span that is named now and given when the program
// is recorded. Spans of different names must not overlap.
func (g *Graph) Slot(name string, offset int64, rows, cols int) Value {
	if offset%alignment != 0 {
		g.Fail(fmt.Errorf("slot %s: offset %d is no multiple of %d", name, offset, alignment))
	}
	return g.add(&home{kind: slot, name: name, offset: offset}, rows, cols)
}

// Whole returns a value over all of a span that is named now and given when the program is recorded, of
// as many rows as it then has: one that grows while the program stays.
func (g *Graph) Whole(name string, cols int) Value {
	return g.add(&home{kind: slot, name: name, whole: true}, 1, cols)
}

func (g *Graph) add(h *home, rows, cols int) Value {
	if rows < 1 || cols < 1 {
		g.Fail(fmt.Errorf("value: shape [%d %d] is empty", rows, cols))
		rows, cols = 1, 4
	}
	h.size = 4 * int64(rows) * int64(cols)
	g.homes = append(g.homes, h)
	return Value{home: h, Rows: rows, Cols: cols, Stride: cols}
}

// Columns returns the view of columns [from, to) of v; both are multiples of four.
func (g *Graph) Columns(v Value, from, to int) Value {
	if from < 0 || to <= from || to > v.Cols || from%4 != 0 || to%4 != 0 {
		g.Fail(fmt.Errorf("columns [%d %d) of shape %v", from, to, v.Shape()))
		return v
	}
	v.From += from
	v.Cols = to - from
	return v
}

// Part returns v for one of several calls that each write numbers of it which the others leave alone, such as
// the row of a sequence: calls with different parts, 1 and up, need no barrier between them. Who uses v
// itself waits for all of them.
func (g *Graph) Part(v Value, part int) Value {
	if part < 1 {
		g.Fail(fmt.Errorf("part %d of shape %v", part, v.Shape()))
	}
	v.part = part
	return v
}

// Align rounds a size in bytes up to where the next home may begin.
func Align(size int64) int64 { return (size + alignment - 1) / alignment * alignment }

// Shaped returns the view of v, which is packed, as the given number of rows of cols numbers from its first one on.
func (g *Graph) Shaped(v Value, rows, cols int) Value {
	if !v.Packed() || rows < 1 || cols < 1 || rows*cols > v.Rows*v.Cols {
		g.Fail(fmt.Errorf("shape [%d %d] of shape %v", rows, cols, v.Shape()))
		return v
	}
	v.Rows, v.Cols, v.Stride = rows, cols, cols
	return v
}
