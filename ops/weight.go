package ops

import (
	"fmt"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/internal/q8"
	"github.com/mmrun/mmrun/vk"
)

// A Type is how the numbers of a weight are stored on the device.
type Type string

// The types of weights.
const (
	F32  Type = "f32"
	F16  Type = "f16"
	BF16 Type = "bf16"
	Q8   Type = "q8" // Q8_0: 32 weights share a scale; matrices only
)

// weightSpec are the constants of a shader that reads weights of a type, with its own.
type weightSpec struct {
	own  any
	kind uint32
}

// kernel is the variant of a shader that reads weights of a type. F16 and BF16 share one, and are kinds of it.
func (t Type) kernel(shader string, spec any) graph.Kernel {
	key, kind := string(t), uint32(0)
	switch t {
	case F16:
		key = "half"
	case BF16:
		key, kind = "half", 1
	}
	return graph.Kernel{Shader: shader + "." + key, Spec: weightSpec{spec, kind}}
}

// A Weight is Rows × Cols weights in device memory: a table, row after row as in PyTorch's
// [out, in], or a matrix in panels. The zero Weight is none, for an optional one left out.
type Weight struct {
	Type       Type
	Rows, Cols int
	Panels     bool // what Linear and Embed read; see Pack
	Span       vk.Span
}

// Zero says whether there is no weight.
func (w Weight) Zero() bool { return w.Span.Buffer == nil }

// PanelRows is the number of rows of a panel.
const PanelRows = 8

const unitBytes = 16 // what a kernel reads at once, of one row

// vectors is how many vec4 of weights a unit holds.
func (t Type) vectors() int {
	switch t {
	case F32:
		return 1
	case Q8:
		return 4
	}
	return 2
}

// blockUnits is how many units of weights a block of one row holds.
func (t Type) blockUnits() int {
	if t == Q8 {
		return q8.Block / unitBytes
	}
	return 8
}

// blockCols is how many columns a block holds.
func (t Type) blockCols() int { return t.blockUnits() * 4 * t.vectors() }

// blocks is how many blocks hold a row of cols weights.
func (t Type) blocks(cols int) int { return (cols + t.blockCols() - 1) / t.blockCols() }

// panelBlock is the size of a block of a panel, with the scales of a quantized one.
func (t Type) panelBlock() int {
	size := PanelRows * t.blockUnits() * unitBytes
	if t == Q8 {
		size += PanelRows * scaleBytes
	}
	return size
}

const scaleBytes = 2 // an F16

// PanelBytes is the size of a panel of rows of cols weights.
func (t Type) PanelBytes(cols int) int { return t.blocks(cols) * t.panelBlock() }

// Pack interleaves the rows of one panel: of each unit of 16 bytes first all rows, then the next
// unit. Neighbouring invocations own neighbouring rows, so what they read together lies together.
// A row that ends before the panel does, or is missing, is filled with zeros.
func (t Type) Pack(panel []byte, rows [][]byte) {
	clear(panel)
	perBlock, size := t.blockUnits(), t.panelBlock()
	for r, row := range rows {
		for u := 0; u*unitBytes < len(row); u++ {
			copy(panel[u/perBlock*size+(u%perBlock*PanelRows+r)*unitBytes:][:unitBytes], row[u*unitBytes:])
		}
	}
}

// PackScales puts the scales of a panel's rows, an F16 for every 32 weights, where Q8's kernels look
// for them: behind the weights of each block, a row after the other. Pack comes first.
func PackScales(panel []byte, rows [][]byte) {
	size := Q8.panelBlock()
	for r, row := range rows {
		for b := 0; b*scaleBytes < len(row); b++ {
			copy(panel[(b+1)*size-(PanelRows-r)*scaleBytes:][:scaleBytes], row[b*scaleBytes:])
		}
	}
}

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
