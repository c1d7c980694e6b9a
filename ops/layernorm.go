package ops

import "github.com/mmrun/mmrun/graph"

// centered says whether n is a LayerNorm.
func (n Norm) centered() bool { return !n.Bias.Zero() }

// Normalize returns every row of x normalized, whichever norm n is.
// Shapes: x and the result (T, d), the norm's weight and bias (d).
func Normalize(g *graph.Graph, x graph.Value, n Norm) graph.Value {
	switch {
	case n.centered():
		return layerNorm(g, x, n, x.Rows, false)
	case n.Groups > 1:
		return groupNorm(g, x, n)
	}
	return RMSNorm(g, x, n)
}

// NormalizeLast returns the row of each sequence's last token normalized.
// Shapes: x (T, d), the result (rows, d) with as many rows as there may be sequences.
func NormalizeLast(g *graph.Graph, x graph.Value, n Norm, rows int) graph.Value {
	if n.centered() {
		return layerNorm(g, x, n, rows, true)
	}
	return RMSNormLast(g, x, n, rows)
}

type (
	layerNormSpec struct{ lanes, tokens int }
	layerNormPush struct {
		width, count int
		eps          float64
		last         uint32
	}
)

// layerNorm is (x - mean(x)) / sqrt(variance(x) + Eps) ⊙ Weight + Bias (arXiv 1607.06450) of every row,
// or of each sequence's last.
func layerNorm(g *graph.Graph, x graph.Value, n Norm, rows int, last bool) graph.Value {
	y := g.Temp(rows, x.Cols)
	if !x.Packed() || n.Width < 1 || n.Width > x.Cols {
		mismatch(g, "layernorm", x.Shape(), []int{n.Width})
		return y
	}
	lanes, tokens := 32, 1
	if g.Software() {
		lanes, tokens = 1, 8
	}
	g.Call("layernorm", graph.Kernel{Shader: "layernorm", Spec: layerNormSpec{lanes, tokens}},
		[]graph.Value{params(g), x, n.Weight.vector(g, "layernorm", x.Cols, x), n.Bias.vector(g, "layernorm", x.Cols, x), y},
		layerNormPush{x.Cols / 4, n.Width, n.Eps, flag(last)}, [3]int{1, graph.Groups(rows, tokens), 1},
		graph.Cost{Bytes: 3 * y.Bytes(), Flops: 8 * y.Bytes() / 4})
	return y
}
