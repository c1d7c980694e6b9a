package ops

import "github.com/mmrun/mmrun/graph"

type embedPush struct{ width, blocks int }

// Embed returns the embeddings of tokens: r[t] = table[ids[t]].
// Shapes: ids (T, 1) of uint32 below table's rows, table (vocab, d), the result (T, d).
func Embed(g *graph.Graph, ids graph.Value, table Weight) graph.Value {
	r := g.Temp(ids.Rows, table.Cols)
	EmbedInto(g, r, ids, table)
	return r
}

// EmbedInto is Embed into a value at hand.
func EmbedInto(g *graph.Graph, r, ids graph.Value, table Weight) {
	if r.Rows != ids.Rows || r.Cols != table.Cols || !r.Packed() || ids.Cols != 1 {
		mismatch(g, "embed", r.Shape(), []int{ids.Rows, table.Cols})
		return
	}
	blocks := table.Type.PanelBlocks(table.Cols)
	g.Call("embed", table.kernel("embed", nil),
		[]graph.Value{params(g), ids, table.matrix(g, "embed"), r},
		embedPush{r.Cols / 4, blocks}, [3]int{graph.Groups(blocks*table.Type.PanelUnits(), 64), ids.Rows, 1},
		graph.Cost{Bytes: r.Bytes() + int64(r.Rows)*int64(table.Type.PanelBytes(table.Cols)/PanelRows)})
}
