package ops

import (
	"fmt"
	"math"

	"github.com/mmrun/mmrun/graph"
)

// The largest memory the kernels take: notes of a pool, tokens of a window, numbers of a summary.
const (
	MaxPool    = 256
	MaxWindow  = 1024
	MaxSummary = 256
)

// Notes are the pools of all layers, P places each in no order; a place of importance 0 is empty.
type Notes struct {
	Summaries   graph.Value // (L·P, S)
	Importances graph.Value // (L, P)
	Positions   graph.Value // (L, P), of the notes' tokens
	Newest      graph.Value // (L, P), places by recency
	Totals      graph.Value // (L, 1), notes ever committed
}

// Pending are the notes of the window so far, each at its token's place in the window; a place of
// importance 0 has none.
type Pending struct {
	Summaries   graph.Value // (L·W, S)
	Importances graph.Value // (L, W)
}

// Note is the Note Block (arXiv 2510.03279, section 4.1): every token whose importance sigmoid(score)
// exceeds τ1 leaves its summary among its layer's pending notes.
// Shapes: notes (T, ·), the summary at column 0 and the score at a column.
func Note(g *graph.Graph, notes graph.Value, score int, threshold float64, pending Pending, layer int) {
	S, W := pending.Summaries.Cols, pending.Importances.Cols
	if pending.Summaries.Rows != pending.Importances.Rows*W || layer >= pending.Importances.Rows || score >= notes.Cols || !notes.Packed() {
		mismatch(g, "note", notes.Shape(), pending.Summaries.Shape())
		return
	}
	g.Call("note", graph.Kernel{Shader: "note"},
		[]graph.Value{params(g), notes, pending.Summaries, pending.Importances},
		graph.Constants(notes.Cols/4, score, S/4, W, layer, threshold),
		[3]int{graph.Groups(S/4, 8), notes.Rows, 1}, graph.Cost{Bytes: 8 * int64(notes.Rows) * int64(S)})
}

// Commit moves every layer's pending notes to its pool, in token order, at a window's first token. A
// full pool lets its oldest note go, or with priority its least important one if the new note is
// more important (the oldest among equals).
func Commit(g *graph.Graph, pending Pending, n Notes, priority bool) {
	L, P, W, S := n.Importances.Rows, n.Importances.Cols, pending.Importances.Cols, n.Summaries.Cols
	if pending.Importances.Rows != L || P > MaxPool || W > MaxWindow || n.Summaries.Rows != L*P || pending.Summaries.Rows != L*W {
		mismatch(g, "commit", pending.Summaries.Shape(), n.Summaries.Shape())
		return
	}
	g.Call("commit", graph.Kernel{Shader: "commit", Plain: true, Spec: []uint32{flag(priority)}},
		[]graph.Value{params(g), pending.Importances, pending.Summaries, n.Summaries, n.Importances, n.Positions, n.Totals, n.Newest},
		graph.Constants(W, P, S/4), [3]int{L, 1, 1}, graph.Cost{Bytes: pending.Importances.Bytes() + n.Summaries.Bytes()})
}

// Decide writes which layers read their pool during the window that begins: those whose state says
// sigmoid(w · mean_n(h) + b) > τ2. state is the whole recurrent state as rows of one number each,
// a layer every stride numbers, its h (E, N) offset numbers in; states is N without padding.
// Shapes: w (L, E), bias (L, Pad), reads (L, 1).
func Decide(g *graph.Graph, state graph.Value, stride, offset, states int, w, bias Weight, threshold float64, reads graph.Value) {
	L, E := w.Rows, w.Cols
	if bias.Rows != L || bias.Cols != Pad || reads.Rows != L {
		mismatch(g, "decide", []int{w.Rows, w.Cols}, reads.Shape())
		return
	}
	g.Call("decide", graph.Kernel{Shader: "decide"}, []graph.Value{state, w.table(g, "decide"), bias.table(g, "decide"), reads},
		graph.Constants(stride/4, offset/4, E, Padded(states)/4, 1/float64(states), threshold),
		[3]int{L, 1, 1}, graph.Cost{Bytes: 4 * int64(L) * int64(E) * int64(Padded(states))})
}

// Sources are what an attention reads: notes of several layers' attentions, with importances.
type Sources struct {
	Summaries   graph.Value // (layers·keys, S)
	Importances graph.Value // (layers, keys)
}

// CrossSources gathers what every attending layer sees of the pools of the period layers before it,
// as cross-layer pooling says: "concat" all their notes, "mean" and "max" joining the j-th newest of
// each. Attending are the layers l with (l+1) % period == 0. worth takes the importances.
// Shape: worth (attending, keys) with period·P keys for concat, else P.
func CrossSources(g *graph.Graph, n Notes, period int, pooling string, worth graph.Value) Sources {
	P, S := n.Importances.Cols, n.Summaries.Cols
	attending, keys := n.Importances.Rows/period, P
	mode, ok := map[string]uint32{"concat": 0, "mean": 1, "max": 2}[pooling]
	if !ok {
		g.Fail(fmt.Errorf("gather: pooling %q is not known", pooling))
	}
	if pooling == "concat" {
		keys = period * P
	}
	s := Sources{g.Temp(attending*keys, S), worth}
	if worth.Rows != attending || worth.Cols != keys {
		mismatch(g, "gather", worth.Shape(), []int{attending, keys})
		return s
	}
	g.Call("gather", graph.Kernel{Shader: "gather", Plain: true, Spec: []uint32{mode}},
		[]graph.Value{n.Summaries, n.Importances, n.Newest, s.Summaries, s.Importances},
		graph.Constants(period, P, S/4, keys), [3]int{graph.Groups(S/4, 8), keys, attending},
		graph.Cost{Bytes: 2 * s.Summaries.Bytes()})
	return s
}

// Keys projects the notes of every layer's attention to keys and values, once a window.
// Shapes: w (layers·2S, S) with k_proj above v_proj, kv (layers·keys, 2S).
func Keys(g *graph.Graph, s Sources, w Weight, kv graph.Value) {
	layers, keys, S := s.Importances.Rows, s.Importances.Cols, s.Summaries.Cols
	if w.Rows != layers*2*S || w.Cols != S || w.Type != F32 || kv.Rows != layers*keys || kv.Cols != 2*S {
		mismatch(g, "keys", []int{w.Rows, w.Cols}, kv.Shape())
		return
	}
	g.Call("keys", graph.Kernel{Shader: "keys"},
		[]graph.Value{s.Summaries, w.table(g, "keys"), s.Importances, kv},
		graph.Constants(keys, S/4), [3]int{graph.Groups(2*S, 8), keys, layers},
		graph.Cost{Bytes: s.Summaries.Bytes() + kv.Bytes() + 4*int64(w.Rows)*int64(S), Flops: 4 * int64(S) * int64(S) * int64(layers*keys)})
}

// An Attention is one layer's attention over a pool: which keys of kv are its own, S without
// padding, and, when only a layer that reads attends, the decisions and the layer.
type Attention struct {
	KV, Importances graph.Value // (layers·keys, 2S), (layers, keys)
	Index           int         // of the attention among layers
	Width           int
	Reads           graph.Value // (L, 1), or none
	Layer           int
}

// Attend returns softmax(q·k/√S + ln I) v for every token (arXiv 2510.03279, section 4.2; the bias
// ln I is ours), zero where the layer does not read or its pool is empty.
// Shapes: q and the result (T, S).
func Attend(g *graph.Graph, op string, q graph.Value, a Attention) graph.Value {
	S, keys := q.Cols, a.Importances.Cols
	y := g.Temp(q.Rows, S)
	if a.KV.Cols != 2*S || S > MaxSummary || a.KV.Rows != a.Importances.Rows*keys {
		mismatch(g, op, q.Shape(), a.KV.Shape())
		return y
	}
	gated, reads := !a.Reads.Zero(), a.Reads
	if !gated {
		reads = a.Importances
	}
	g.Call(op, graph.Kernel{Shader: "attend", Spec: []uint32{flag(gated), attendLanes(g)}},
		[]graph.Value{params(g), q, a.KV, a.Importances, reads, y},
		graph.Constants(keys, a.Index*keys, q.Stride/4, q.From/4, S/4, 1/math.Sqrt(float64(a.Width)), a.Layer),
		[3]int{q.Rows, 1, 1},
		graph.Cost{Bytes: 2*y.Bytes() + 8*int64(keys)*int64(S), Flops: 4 * int64(q.Rows) * int64(keys) * int64(S)})
	return y
}

// attendLanes is how many invocations share a token.
func attendLanes(g *graph.Graph) uint32 {
	if g.Access() == graph.Texel {
		return 8
	}
	return 64
}
