package ops

import "github.com/mmrun/mmrun/graph"

// Norm is an RMSNorm to apply: y = x / sqrt(mean(x²) + Eps) ⊙ Weight, or where there is a Bias a
// LayerNorm. Width is the number of columns that count, without padding. With several Groups each of the given number of parts
// of these is normed by itself.
type Norm struct {
	Weight Weight
	Bias   Weight
	Width  int
	Eps    float64
	Groups int // 0 is 1
}

type (
	rmsNormPush struct {
		width      int
		scale, eps float64
		last       uint32
	}
	weighPush struct {
		width     int
		mean, eps float64
	}
	groupNormSpec struct {
		aligned bool
		lanes   uint32
	}
	groupNormPush struct {
		width, size, groups int
		eps                 float64
	}
)

// apart says whether n is a norm that takes a pass of its own, also before the product of one token.
func (n Norm) apart() bool { return n.centered() || n.Groups > 1 }

// RMSNorm returns every row of x normalized.
// Shapes: x and the result (T, d), the norm's weight (d).
func RMSNorm(g *graph.Graph, x graph.Value, n Norm) graph.Value {
	return rmsNorm(g, x, n, x.Rows, false)
}

// RMSNormLast returns the row of each sequence's last token normalized.
// Shapes: x (T, d), the result (rows, d) with as many rows as there may be sequences.
func RMSNormLast(g *graph.Graph, x graph.Value, n Norm, rows int) graph.Value {
	return rmsNorm(g, x, n, rows, true)
}

func rmsNorm(g *graph.Graph, x graph.Value, n Norm, rows int, last bool) graph.Value {
	y := g.Temp(rows, x.Cols)
	if !x.Packed() || n.Weight.Cols*n.Weight.Rows != x.Cols {
		mismatch(g, "rmsnorm", x.Shape(), []int{n.Weight.Rows, n.Weight.Cols})
		return y
	}
	g.Call("rmsnorm", graph.Kernel{Shader: "rmsnorm", Spec: lanesSpec{fetchLanes(g)}},
		[]graph.Value{params(g), x, n.Weight.vector(g, "rmsnorm", x.Cols, x), y},
		rmsNormPush{x.Cols / 4, 1 / float64(n.Width), n.Eps, flag(last)}, [3]int{rows, 1, 1},
		graph.Cost{Bytes: 3 * y.Bytes(), Flops: 5 * y.Bytes() / 4})
	return y
}

// weigh is the first half of RMSNorm for a product that is scaled afterwards: x ⊙ weight, and of every
// row the scale, rounded as gemv rounds them when it does so itself.
// Shapes: x and y (T, d), scale (T, 1) in a row of whole vectors.
func weigh(g *graph.Graph, x graph.Value, n Norm) (y, scale graph.Value) {
	y, scale = g.Temp(x.Rows, x.Cols), g.Temp(1, Padded(x.Rows))
	if !x.Packed() || n.Weight.Cols*n.Weight.Rows != x.Cols {
		mismatch(g, "weigh", x.Shape(), []int{n.Weight.Rows, n.Weight.Cols})
		return y, scale
	}
	g.Call("rmsnorm", graph.Kernel{Shader: "weigh", Spec: lanesSpec{fetchLanes(g)}},
		[]graph.Value{params(g), x, n.Weight.vector(g, "weigh", x.Cols, x), y, scale},
		weighPush{x.Cols / 4, 1 / float64(n.Width), n.Eps}, [3]int{x.Rows, 1, 1},
		graph.Cost{Bytes: 3 * y.Bytes(), Flops: 5 * y.Bytes() / 4})
	return y, scale
}

// groupNorm returns every row of x with each group of its columns normalized by itself.
// Shapes: as RMSNorm.
func groupNorm(g *graph.Graph, x graph.Value, n Norm) graph.Value {
	y := g.Temp(x.Rows, x.Cols)
	if !x.Packed() || n.Weight.Cols*n.Weight.Rows != x.Cols || n.Width > x.Cols || n.Width%n.Groups != 0 {
		mismatch(g, "groupnorm", x.Shape(), []int{n.Width, n.Groups})
		return y
	}
	size := n.Width / n.Groups
	g.Call("groupnorm", graph.Kernel{Shader: "groupnorm", Spec: groupNormSpec{size%4 == 0, fetchLanes(g)}},
		[]graph.Value{params(g), x, n.Weight.vector(g, "groupnorm", x.Cols, x), y},
		groupNormPush{x.Cols / 4, size, n.Groups, n.Eps}, [3]int{x.Rows, n.Groups, 1},
		graph.Cost{Bytes: 3 * y.Bytes(), Flops: 5 * y.Bytes() / 4})
	return y
}
