package ops

import "github.com/mmrun/mmrun/graph"

const convPiece = 16 // tokens of an invocation

// A Conv is the depthwise causal convolution of a Mamba block (arXiv 2312.00752, section 3.4) and the
// last K-1 inputs of every sequence, oldest first.
// Shapes: W (K, E), Bias (E), State (rows·(K-1), E).
type Conv struct {
	W, Bias Weight
	State   graph.Value
}

type (
	convSpec     struct{ k, piece int }
	convPush     struct{ width, stride, offset int }
	gemvConvSpec struct {
		bias bool
		k    int
	}
)

// taps is K.
func (c Conv) taps() int { return c.W.Rows }

func (c Conv) check(g *graph.Graph, op string, channels int) bool {
	w, K := c.W, c.W.Rows
	ok := w.Cols == channels && w.Type == F32 && !c.Bias.Zero() && K >= 2 && c.State.Cols == channels && c.State.Rows%(K-1) == 0
	if !ok {
		mismatch(g, op, []int{channels}, []int{w.Rows, w.Cols})
	}
	return ok
}

// ConvSiLU returns silu(conv1d(u)): y[t] = silu(Σ_k w[k] ⊙ u[t-K+1+k] + b). The state is replaced by the
// last K-1 inputs.
// Shapes: u and the result (T, E).
func ConvSiLU(g *graph.Graph, u graph.Value, c Conv) graph.Value {
	y := g.Temp(u.Rows, u.Cols)
	if !c.check(g, "conv", u.Cols) {
		return y
	}
	sequences, pieces := min(u.Rows, c.State.Rows/(c.taps()-1)), graph.Groups(u.Rows, convPiece)
	if sequences > 1 { // a token each
		pieces = 1
	}
	g.Call("conv", graph.Kernel{Shader: "conv", Spec: convSpec{c.taps(), convPiece}},
		[]graph.Value{params(g), u, c.W.table(g, "conv"), c.Bias.vector(g, "conv", u.Cols, u), c.State, y},
		convPush{u.Cols / 4, u.Stride / 4, u.From / 4},
		[3]int{graph.Groups(u.Cols/4, 8), pieces, sequences},
		graph.Cost{Bytes: 2 * y.Bytes(), Flops: c.flops(u.Rows)})
	return y
}

func (c Conv) flops(tokens int) int64 { return int64(2*c.taps()+4) * int64(tokens) * int64(c.W.Cols) }

// LinearConvSiLU returns [silu(conv1d(u)) | z] with [u | z] = W norm(x) + bias for one token of every
// sequence: in_proj and ConvSiLU in a single kernel. Rows are summed as if each were alone; see Finish.
// Shapes: x (B, d), w (2E, d), bias (2E) or none, the result (B, 2E).
func LinearConvSiLU(g *graph.Graph, op string, x graph.Value, n Norm, w, bias Weight, c Conv) graph.Value {
	y := g.Temp(x.Rows, w.Rows)
	if x.Cols != w.Cols || w.Cols%Pad != 0 || n.centered() {
		mismatch(g, op, x.Shape(), []int{w.Rows, w.Cols})
		return y
	}
	if !c.check(g, op, w.Rows/2) {
		return y
	}
	all := cost(x, w, y)
	all.Bytes += 2 * int64(x.Rows) * int64(c.taps()-1) * int64(w.Rows/2) * 4 // the state, in and out
	all.Flops += c.flops(x.Rows)
	fewRows{
		op: op, kernel: w.kernel("gemv_conv", gemvConvSpec{!bias.Zero(), c.taps()}),
		x: x, norm: n, w: w, cost: all,
		store: []graph.Value{bias.vector(g, op, w.Rows, x), c.W.table(g, op), c.Bias.vector(g, op, w.Rows/2, x), c.State, y},
	}.call(g)
	return y
}
