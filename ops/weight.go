package ops

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/internal/q8"
	"github.com/mmrun/mmrun/internal/safetensors"
	"github.com/mmrun/mmrun/vk"
)

// A Type is how the numbers of a weight are stored on the device.
type Type string

// The types of weights, by the name of their shader variants.
const (
	F32  Type = "f32"
	F16  Type = "f16"
	BF16 Type = "bf16"
	Q8   Type = "q8" // Q8_0: 32 weights share a scale; matrices only
)

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

const (
	unitBytes  = 16 // what a kernel reads at once, of one row
	blockUnits = 8  // of weights in a block
)

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

// blockCols is how many columns a block holds.
func (t Type) blockCols() int { return blockUnits * 4 * t.vectors() }

// blocks is how many blocks hold a row of cols weights.
func (t Type) blocks(cols int) int { return (cols + t.blockCols() - 1) / t.blockCols() }

// blockBytes is the size of a block of one row, with the scales of a quantized one.
func (t Type) blockBytes() int {
	if t == Q8 {
		return (blockUnits + 1) * unitBytes
	}
	return blockUnits * unitBytes
}

// RowBytes is the size of a row of cols weights cut into whole blocks, as Pack takes it: the
// weights of a block in order, for Q8 then its four scales as F32.
func (t Type) RowBytes(cols int) int { return t.blocks(cols) * t.blockBytes() }

// PanelBytes is the size of a panel of rows of cols weights.
func (t Type) PanelBytes(cols int) int { return PanelRows * t.RowBytes(cols) }

// Pack interleaves the rows of one panel: of each unit of 16 bytes first all rows, then the next
// unit. Neighbouring invocations own neighbouring rows, so what they read together lies together.
// Rows are RowBytes long; one that is shorter, or missing, is filled with zeros.
func Pack(panel []byte, rows [][]byte) {
	clear(panel)
	for r, row := range rows {
		for u := 0; u*unitBytes < len(row); u++ {
			copy(panel[(u*PanelRows+r)*unitBytes:][:unitBytes], row[u*unitBytes:])
		}
	}
}

// LayQ8 lays a row of Q8_0 weights out as Pack takes it, filling RowBytes: weights are a byte each and
// scales an F16 of each 32, as in a file.
func LayQ8(row, weights, scales []byte) {
	clear(row)
	const body = blockUnits * unitBytes
	for ; len(row) > 0; row = row[Q8.blockBytes():] {
		weights = weights[copy(row[:body], weights):]
		for i := 0; i < body/q8.Block && len(scales) > 0; i++ {
			d := safetensors.F16ToFloat32(binary.LittleEndian.Uint16(scales))
			binary.LittleEndian.PutUint32(row[body+4*i:], math.Float32bits(d))
			scales = scales[2:]
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
func (w Weight) bytes() int64 { return int64(w.Rows) * int64(w.Type.RowBytes(w.Cols)) }

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
