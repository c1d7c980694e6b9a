// Package ops has the operations of Mamba and MemMamba as calls of compute shaders. Each op checks
// shapes, chooses the kernel's variant for the device and the weights, and adds it to a graph; the
// value it returns is the op's result. Errors are kept by the graph.
//
// Widths are padded to whole vectors of eight numbers by whoever loads the weights; the padding is
// zero in every weight and so in every result. Symbols are the papers': T tokens of a pass, d hidden
// size, E inner size, N state size, R time-step rank, K convolution taps, P pool size, S summary size.
package ops

import (
	"fmt"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/vk"
)

// Pad is what widths are rounded up to: the weights of one 16-byte read, whatever their type.
const Pad = 8

// Padded rounds a width up to a multiple of Pad.
func Padded(n int) int { return (n + Pad - 1) / Pad * Pad }

// A Type is how the numbers of a weight are stored on the device.
type Type string

// The types of weights, by the name of their shader variants.
const (
	F32  Type = "f32"
	F16  Type = "f16"
	BF16 Type = "bf16"
)

// RowBytes is the size of a row of n weights; n is a multiple of Pad.
func (t Type) RowBytes(n int) int64 {
	if t == F32 {
		return 4 * int64(n)
	}
	return 2 * int64(n)
}

// vectors is how many vec4 of weights one 16-byte read holds.
func (t Type) vectors() int {
	if t == F32 {
		return 1
	}
	return 2
}

// A Weight is a matrix of Rows × Cols weights in device memory, row-major as in PyTorch's
// [out, in]. The zero Weight is none, for an optional one left out.
type Weight struct {
	Type       Type
	Rows, Cols int
	Span       vk.Span
}

// Zero says whether there is no weight.
func (w Weight) Zero() bool { return w.Span.Buffer == nil }

func (w Weight) value(g *graph.Graph) graph.Value {
	return g.Constant(w.Span, w.Rows, int(w.Type.RowBytes(w.Cols)/4))
}

// vector is the value of an F32 weight of n numbers, or stand (which the kernel then does not
// read) when there is none.
func (w Weight) vector(g *graph.Graph, op string, n int, stand graph.Value) graph.Value {
	if w.Zero() {
		return stand
	}
	if w.Type != F32 || w.Rows*w.Cols != n {
		g.Fail(fmt.Errorf("%s: weight of %d %s numbers, want %d of f32", op, w.Rows*w.Cols, w.Type, n))
	}
	return w.value(g)
}

// The parameters of a pass are the only thing that changes when a program is replayed. They are
// bound as the slot "params": tokens, sequences, first state row, 0, then a position per sequence.
const (
	ParamsSlot   = "params"
	MaxSequences = 64
	ParamsBytes  = 4 * (4 + MaxSequences)
)

func params(g *graph.Graph) graph.Value {
	return g.Slot(ParamsSlot, 0, 1, ParamsBytes/4)
}

// flag is a specialization constant of type bool.
func flag(on bool) uint32 {
	if on {
		return 1
	}
	return 0
}

// mismatch keeps an error about two shapes that should agree.
func mismatch(g *graph.Graph, op string, a, b []int) {
	g.Fail(fmt.Errorf("%s: shapes %v and %v do not go together", op, a, b))
}
