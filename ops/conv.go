package ops

import "github.com/mmrun/mmrun/graph"

const convPiece = 16 // tokens of an invocation

// ConvSiLU returns silu(conv1d(u)), the depthwise causal convolution of a Mamba block (arXiv
// 2312.00752, section 3.4): y[t] = silu(Σ_k w[k] ⊙ u[t-K+1+k] + b). The K-1 inputs before the pass
// are in state, oldest first, and are replaced by the last K-1.
// Shapes: u and the result (T, E), w (K, E), bias (E) or none, state (rows·(K-1), E).
func ConvSiLU(g *graph.Graph, u graph.Value, w, bias Weight, state graph.Value) graph.Value {
	y := g.Temp(u.Rows, u.Cols)
	K := w.Rows
	if w.Cols != u.Cols || w.Type != F32 || bias.Zero() || K < 2 || state.Cols != u.Cols || state.Rows%(K-1) != 0 {
		mismatch(g, "conv", u.Shape(), []int{w.Rows, w.Cols})
		return y
	}
	sequences, pieces := min(u.Rows, state.Rows/(K-1)), graph.Groups(u.Rows, convPiece)
	if sequences > 1 { // a token each
		pieces = 1
	}
	g.Call("conv", graph.Kernel{Shader: "conv", Spec: []uint32{uint32(K), convPiece}},
		[]graph.Value{params(g), u, w.table(g, "conv"), bias.vector(g, "conv", u.Cols, u), state, y},
		graph.Constants(u.Cols/4, u.Stride/4, u.From/4),
		[3]int{graph.Groups(u.Cols/4, 8), pieces, sequences},
		graph.Cost{Bytes: 2 * y.Bytes(), Flops: int64(2*K+4) * y.Bytes() / 4})
	return y
}
