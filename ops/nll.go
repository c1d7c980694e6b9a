package ops

import (
	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/vk"
)

type (
	nllSpec struct{ lanes uint32 }
	nllPush struct{ width, vocab int }
)

// NLL returns how surprised rows of logits are by their targets, in nats:
//
//	y_t = ln Σ_v exp(logits_tv) - logits_t,target_t
//
// over the first vocab columns; what lies behind them is padding. A target must be below vocab.
// Shapes: logits (T, V), targets (T, 1) of whole numbers; y (T, 1) takes the result.
func NLL(g *graph.Graph, logits, targets graph.Value, vocab int, y graph.Value) {
	if vocab < 1 || vocab > logits.Cols || !logits.Packed() || targets.Rows != logits.Rows || y.Rows != logits.Rows {
		mismatch(g, "nll", logits.Shape(), targets.Shape())
		return
	}
	g.Call("nll", graph.Kernel{Shader: "nll", Spec: nllSpec{nllLanes(g, vocab)}}, []graph.Value{params(g), logits, targets, y},
		nllPush{logits.Cols / 4, vocab}, [3]int{logits.Rows, 1, 1},
		graph.Cost{Bytes: logits.Bytes(), Flops: 3 * int64(logits.Rows) * int64(vocab)})
}

// nllLanes is how many invocations share a row: few on a software device, but more where it would cut a
// loop over the vocabulary short.
func nllLanes(g *graph.Graph, vocab int) uint32 {
	const longest = 1 << 15 // of loops, half of what it takes
	lanes := uint32(64)
	if g.Software() {
		lanes = 8
	}
	for vocab/(4*int(lanes)) > longest {
		lanes *= 2
	}
	return lanes
}

// LogitRows is how many rows of logits, most at the most, a device can have in one binding: a power of
// two unless it is most, and 0 if not even one row fits.
func LogitRows(limits vk.Limits, vocab, most int) int {
	binding := min(int64(limits.MaxStorageBufferRange), 16*int64(limits.MaxTexelBufferElements))
	fit := binding / (4 * int64(Padded(vocab)))
	if fit >= int64(most) {
		return most
	}
	rows := 1
	for int64(2*rows) <= fit {
		rows *= 2
	}
	return int(min(int64(rows), fit))
}
