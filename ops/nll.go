package ops

import "github.com/mmrun/mmrun/graph"

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
