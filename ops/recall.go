package ops

import (
	"math"

	"github.com/mmrun/mmrun/graph"
)

// A Fusion is how what an attention found, c, goes into x: x + F(O c), where F(v) is v, or with a gate
// sigmoid(weight ⊙ x + bias) ⊙ v.
type Fusion struct {
	Out  Weight // O (d, S)
	Gate Weight // (2, d), weight then bias, or none
}

// A Recall is one of a layer's attentions to notes, with its fusion.
type Recall struct {
	Attention
	Fusion
}

// Zero says whether r is no attention at all.
func (r Recall) Zero() bool { return r.KV.Zero() }

type (
	recallSpec struct {
		token, layer, reads, gate bool
		lanes                     uint32
		summary                   int
		triggered                 bool
	}
	recallPush struct {
		keys, first, apart, readers, layer [2]int // of token's, then layer's
		blocks, rows, width                int
		scale                              float64
	}
)

// RecallToken returns norm(r) + F(O c_token) + F(O c_layer) for one token of every sequence, with c as Attend
// finds it (arXiv 2510.03279, section 4.2): both attentions and their fusion in a single kernel. Scales are
// what NoteToken returned. One of token and layer may be left out; else their matrices are of one type.
// Shapes: r and the result (B, d), queries (B, ·) with those of token at column 0, those of layer at column S.
func RecallToken(g *graph.Graph, op string, r graph.Value, n Norm, scales, queries graph.Value, token, layer Recall) graph.Value {
	y, one := g.Temp(r.Rows, r.Cols), token
	if token.Zero() {
		one = layer
	}
	if one.Zero() || !token.fits(r, queries, 0, one) || !layer.fits(r, queries, 1, one) || !r.Packed() || !queries.Packed() || scales.Cols < r.Rows {
		mismatch(g, op, r.Shape(), queries.Shape())
		return y
	}
	S := one.Out.Cols
	spec := recallSpec{!token.Zero(), !layer.Zero(), !token.Reads.Zero(), !one.Gate.Zero(), fetchLanes(g), S / 4, !layer.Reads.Zero()}
	values := []graph.Value{params(g), r, n.Weight.vector(g, op, r.Cols, r), scales, queries}
	values = append(append(values, token.values(g, op, one)...), layer.values(g, op, one)...)
	g.Call(op, one.Out.kernel("recall", spec), append(values, token.reads(one), layer.reads(one), y),
		recallPush{[2]int{token.Keys, layer.Keys}, [2]int{token.First, layer.First}, [2]int{token.apart(), layer.apart()},
			[2]int{token.readers(), layer.readers()}, [2]int{token.Layer, layer.Layer}, one.Out.Type.PanelBlocks(S), r.Cols, queries.Cols / 4, 1 / math.Sqrt(float64(one.Width))},
		[3]int{graph.Groups(r.Cols, recallRows(g)), r.Rows, 1}, recallCost(r, token, layer))
	return y
}

// recallRows is how many rows a workgroup has, WORKERS times ROWS of the shader: enough that doing the
// attentions anew for them costs little.
func recallRows(g *graph.Graph) int {
	if g.Software() {
		return 256
	}
	return 128
}

// fits says whether an attention goes with the stream, the i-th of the queries and the other attention.
func (r Recall) fits(stream, queries graph.Value, i int, other Recall) bool {
	if r.Zero() {
		return true
	}
	S := r.Out.Cols
	return r.KV.Cols == 2*S && S <= MaxSummary && queries.Rows == stream.Rows && queries.Cols >= (i+1)*S && r.Out.Rows == stream.Cols &&
		r.Pools.Zero() && (r.Reads.Zero() || r.Layer < r.readers()) && r.Keys > 0 && r.First+r.Keys <= r.apart() && r.Width == other.Width && r.Sequences == other.Sequences &&
		r.Out.Type == other.Out.Type && S == other.Out.Cols && r.Gate.Zero() == other.Gate.Zero()
}

// apart is how many keys lie from sequence to sequence.
func (r Recall) apart() int { return r.KV.Rows / max(1, r.Sequences) }

// reads are those of an attention, or what stands for them where they are not read; readers is how many lie from
// sequence to sequence.
func (r Recall) reads(other Recall) graph.Value {
	if r.Reads.Zero() {
		return other.Importances
	}
	return r.Reads
}
func (r Recall) readers() int { return r.Reads.Rows / max(1, r.Sequences) }

// values are keys, importances, matrix and gate, or those of another attention, which are not read.
func (r Recall) values(g *graph.Graph, op string, other Recall) []graph.Value {
	if r.Zero() {
		r = other
	}
	return []graph.Value{r.KV, r.Importances, r.Out.matrix(g, op), r.Gate.vector(g, op, 2*r.Out.Rows, r.KV)}
}

func recallCost(stream graph.Value, recalls ...Recall) (c graph.Cost) {
	c.Bytes = 3 * stream.Bytes()
	for _, r := range recalls {
		if r.Zero() {
			continue
		}
		T, S, keys := int64(stream.Rows), int64(r.Out.Cols), int64(r.Keys)
		c.Bytes += r.Out.bytes() + T*8*keys*S
		c.Flops += T * (4*keys*S + 2*S*int64(r.Out.Rows))
	}
	return c
}
