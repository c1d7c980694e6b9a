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
)

// Pad is what widths are rounded up to: a panel of rows, and whole vectors of columns.
const Pad = 8

// Padded rounds a width up to a multiple of Pad.
func Padded(n int) int { return (n + Pad - 1) / Pad * Pad }

// The parameters of a pass are the only thing that changes when a program is replayed. They are
// bound as the slot "params": tokens, sequences, two zeros, then of each sequence its position and after
// all positions its row of the state.
const (
	ParamsSlot   = "params"
	MaxSequences = 64
	ParamsBytes  = 4 * (4 + 2*MaxSequences)
)

func params(g *graph.Graph) graph.Value {
	return g.Slot(ParamsSlot, 0, 1, ParamsBytes/4)
}

// flag is a bool in numbers.
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
