package ops

import "github.com/mmrun/mmrun/graph"

const convPiece = 16 // tokens of an invocation

// A Conv is the depthwise causal convolution of a Mamba block (arXiv 2312.00752, section 3.4) and the
// last K-1 inputs of every sequence, oldest first; with one tap there is no state.
// Shapes: W (K, E), Bias (E), State (rows·(K-1), E).
type Conv struct {
	W, Bias Weight
	State   graph.Value
	From    int // of LinearConvSiLU: the first row of the product that is convolved
}

type (
	convSpec     struct{ k, piece int }
	convPush     struct{ width, stride, offset int }
	gemvConvSpec struct {
		bias bool
		k    int
	}
	gemvConvPush struct{ from, channels int }
)

// MaxTaps is the largest K.
const MaxTaps = 16

// taps is K.
func (c Conv) taps() int { return c.W.Rows }

func (c Conv) check(g *graph.Graph, op string, channels int) bool {
	w, K := c.W, c.W.Rows
	ok := w.Cols == channels && w.Type == F32 && !c.Bias.Zero() && K >= 1 && K <= MaxTaps
	if K > 1 {
		ok = ok && c.State.Cols == channels && c.State.Rows%(K-1) == 0
	}
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
	sequences, pieces := 1, graph.Groups(u.Rows, convPiece)
	if c.taps() > 1 {
		sequences = min(u.Rows, c.State.Rows/(c.taps()-1))
	}
	if sequences > 1 { // a token each
		pieces = 1
	}
	g.Call("conv", graph.Kernel{Shader: "conv", Spec: convSpec{c.taps(), convPiece}},
		[]graph.Value{params(g), u, c.W.table(g, "conv"), c.Bias.vector(g, "conv", u.Cols, u), c.state(y), y},
		convPush{u.Cols / 4, u.Stride / 4, u.From / 4},
		[3]int{graph.Groups(u.Cols/4, 8), pieces, sequences},
		graph.Cost{Bytes: 2 * y.Bytes(), Flops: c.flops(u.Rows)})
	return y
}

// state is what is bound as the state: where there is none another value, which the kernel leaves alone.
func (c Conv) state(stand graph.Value) graph.Value {
	if c.taps() > 1 {
		return c.State
	}
	return stand
}

func (c Conv) flops(tokens int) int64 { return int64(2*c.taps()+4) * int64(tokens) * int64(c.W.Cols) }

// LinearConvSiLU returns W norm(x) + bias for one token of every sequence with E of its rows, from Conv.From on,
// through ConvSiLU: in_proj and the convolution in a single kernel. Rows are summed as if each were
// alone; see Finish.
// Shapes: x (B, d), w (M, d), bias (M) or none, the result (B, M).
func LinearConvSiLU(g *graph.Graph, op string, x graph.Value, n Norm, w, bias Weight, c Conv) graph.Value {
	y := g.Temp(x.Rows, w.Rows)
	if x.Cols != w.Cols || w.Cols%Pad != 0 || n.apart() {
		mismatch(g, op, x.Shape(), []int{w.Rows, w.Cols})
		return y
	}
	E := c.W.Cols
	if !c.check(g, op, E) {
		return y
	}
	if c.From < 0 || c.From+E > w.Rows {
		mismatch(g, op, []int{c.From, c.From + E}, []int{w.Rows, w.Cols})
		return y
	}
	all := cost(x, w, y)
	all.Bytes += 2 * int64(x.Rows) * int64(c.taps()-1) * int64(E) * 4 // the state, in and out
	all.Flops += c.flops(x.Rows)
	fewRows{
		op: op, kernel: w.kernel("gemv_conv", gemvConvSpec{!bias.Zero(), c.taps()}),
		x: x, norm: n, w: w, cost: all,
		store: []graph.Value{bias.vector(g, op, w.Rows, x), c.W.table(g, op), c.Bias.vector(g, op, E, x), c.state(y), y},
		told:  gemvConvPush{c.From, E},
	}.call(g)
	return y
}
