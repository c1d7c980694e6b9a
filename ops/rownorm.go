package ops

import "github.com/mmrun/mmrun/graph"

type rowNormPush struct{ width, count int }

// RowNorm returns how large rows are, the Euclidean norm of the first count numbers of each; what lies
// behind them is padding.
// Shapes: x (T, n), the result (1, T) in a row of whole vectors.
func RowNorm(g *graph.Graph, x graph.Value, count int) graph.Value {
	y := g.Temp(1, Padded(x.Rows))
	if count < 1 || count > x.Cols || !x.Packed() {
		mismatch(g, "rownorm", x.Shape(), []int{count})
		return y
	}
	g.Call("rownorm", graph.Kernel{Shader: "rownorm", Spec: nllSpec{nllLanes(g, count)}}, []graph.Value{params(g), x, y},
		rowNormPush{x.Cols / 4, count}, [3]int{x.Rows, 1, 1},
		graph.Cost{Bytes: x.Bytes(), Flops: 2 * int64(x.Rows) * int64(count)})
	return y
}
