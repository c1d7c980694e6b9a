package ops

import (
	"fmt"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/quant"
	"github.com/mmrun/mmrun/vk"
)

// A Type is how the numbers of a weight are stored on the device: the format that shaders read, by
// its Shader the variant of theirs that does.
type Type = *quant.Format

// The types of weights.
var (
	F32  Type = quant.F32
	F16  Type = quant.F16
	BF16 Type = quant.BF16
	Q8   Type = quant.Q8_0 // this and what follows: matrices only
	Q4K  Type = quant.Q4_K
	Q6K  Type = quant.Q6_K
)

// weightSpec are the constants of a shader that reads weights of a type, with its own.
type weightSpec struct {
	own  any
	kind uint32
}

// A Weight is Rows × Cols weights in device memory: a table, row after row as in PyTorch's
// [out, in], or a matrix in panels. The zero Weight is none, for an optional one left out.
type Weight struct {
	Type       Type
	Rows, Cols int
	Panels     bool // what Linear and Embed read; see quant.Format.Pack
	Span       vk.Span
}

// kernel is the variant of a shader that reads weights of this type.
func (w Weight) kernel(shader string, spec any) graph.Kernel {
	return graph.Kernel{Shader: shader + "." + w.Type.Shader, Spec: weightSpec{spec, w.Type.ShaderKind}}
}

// Zero says whether there is no weight.
func (w Weight) Zero() bool { return w.Span.Buffer == nil }

// PanelRows is the number of rows of a panel.
const PanelRows = quant.PanelRows

// matrix is the value of a weight in panels.
func (w Weight) matrix(g *graph.Graph, op string) graph.Value {
	if !w.Panels || w.Rows%PanelRows != 0 {
		g.Fail(fmt.Errorf("%s: weight of shape [%d %d] is not in panels of %d rows", op, w.Rows, w.Cols, PanelRows))
	}
	return g.Constant(w.Span, w.Rows/PanelRows, w.Type.PanelBytes(w.Cols)/4)
}

// bytes is what a pass over all of the weight reads.
func (w Weight) bytes() int64 { return int64(w.Rows/PanelRows) * int64(w.Type.PanelBytes(w.Cols)) }

// table is the value of an F32 weight that is no matrix.
func (w Weight) table(g *graph.Graph, op string) graph.Value {
	if w.Panels || w.Type != F32 {
		g.Fail(fmt.Errorf("%s: weight of shape [%d %d] is no table of f32", op, w.Rows, w.Cols))
	}
	return g.Constant(w.Span, w.Rows, w.Cols)
}

// vector is the value of an F32 weight of n numbers, or stand (which the kernel then does not
// read) when there is none.
func (w Weight) vector(g *graph.Graph, op string, n int, stand graph.Value) graph.Value {
	if w.Zero() {
		return stand
	}
	if w.Rows*w.Cols != n {
		g.Fail(fmt.Errorf("%s: weight of %d numbers, want %d", op, w.Rows*w.Cols, n))
	}
	return w.table(g, op)
}
