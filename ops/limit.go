package ops

import (
	"fmt"

	"github.com/mmrun/mmrun/graph"
)

// LimitRows is what the rows of LimitRead's and LimitFMA's inputs are a multiple of.
const LimitRows = 4096

// The work of LimitFMA.
const (
	limitFMALanes  = 64 // of a workgroup
	limitFMAChains = 8  // numbers of an invocation
)

type (
	limitReadSpec struct{ lanes int }
	limitReadPush struct{ each int }
	limitFMAPush  struct{ steps int }
)

// limitReadLanes is how many invocations share LimitRows rows: on a software device few, since there
// a workgroup costs as much as some reads.
func limitReadLanes(g *graph.Graph) int {
	if g.Software() {
		return 8
	}
	return 64
}

// LimitRead measures how fast a device reads: it returns sums of the rows of data, of as many in each
// as an invocation reads.
// Shapes: data (n · LimitRows, 4), the result (n · lanes, 4).
func LimitRead(g *graph.Graph, data graph.Value) graph.Value {
	groups, lanes := max(1, data.Rows/LimitRows), limitReadLanes(g)
	y := g.Temp(groups*lanes, 4)
	if data.Rows != groups*LimitRows || data.Cols != 4 {
		g.Fail(fmt.Errorf("limit_read: shape %v is no multiple of [%d 4]", data.Shape(), LimitRows))
		return y
	}
	g.Call("limit_read", graph.Kernel{Shader: "limit_read", Spec: limitReadSpec{lanes}},
		[]graph.Value{data, y}, limitReadPush{LimitRows / lanes},
		[3]int{groups, 1, 1}, graph.Cost{Bytes: data.Bytes() + y.Bytes(), Flops: data.Bytes() / 4})
	return y
}

// LimitFMA measures how fast a device multiplies and adds: every row [x a b ·] of start makes eight
// numbers x, x+1, … x+7, which take steps of x = a x + b, and the result has the sums of neighbours.
// Shapes: start and the result (n · LimitRows, 4); steps is a multiple of 8.
func LimitFMA(g *graph.Graph, start graph.Value, steps int) graph.Value {
	y := g.Temp(start.Rows, 4)
	if start.Rows%LimitRows != 0 || start.Cols != 4 || steps%8 != 0 {
		g.Fail(fmt.Errorf("limit_fma: shape %v is no multiple of [%d 4], or %d steps of 8", start.Shape(), LimitRows, steps))
		return y
	}
	g.Call("limit_fma", graph.Kernel{Shader: "limit_fma"}, []graph.Value{start, y}, limitFMAPush{steps},
		[3]int{start.Rows / limitFMALanes, 1, 1},
		graph.Cost{Bytes: 2 * y.Bytes(), Flops: 2 * limitFMAChains * int64(steps) * int64(start.Rows)})
	return y
}
