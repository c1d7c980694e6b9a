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

// Part is the i-th of the parts of so many rows that a table is made of.
func (w Weight) Part(i, rows int) Weight {
	bytes := 4 * int64(rows) * int64(w.Cols)
	w.Rows, w.Span = rows, w.Span.Buffer.Span(w.Span.Off+int64(i)*bytes, bytes)
	return w
}

type decidePush struct {
	stride, offset, channels, states int
	scale, threshold                 float64
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
		decidePush{stride / 4, offset / 4, E, Padded(states) / 4, 1 / float64(states), logit(threshold)},
		[3]int{L, 1, 1}, graph.Cost{Bytes: 4 * int64(L) * int64(E) * int64(Padded(states))})
}

// Sources are what attentions read: notes with importances. Rows that attentions share follow one
// another.
type Sources struct {
	Summaries   graph.Value // (rows, S)
	Importances graph.Value // of each row
	First, Rows int         // the part that is meant; all when Rows is 0
}

// CrossSources gathers what every attending layer sees of the pools of the period layers before it,
// as cross-layer pooling says: "concat" all their notes, "mean" and "max" joining the j-th newest of
// each. Attending are the layers l with (l+1) % period == 0. worth takes the importances.
// Shape: worth (attending, keys) with period·P keys for concat, else P.
func CrossSources(g *graph.Graph, n Notes, period int, pooling string, worth graph.Value) Sources {
	keys := n.Importances.Cols
	if pooling == "concat" {
		keys *= period
	}
	if worth.Rows != n.Importances.Rows/period || worth.Cols != keys {
		mismatch(g, "gather", worth.Shape(), []int{n.Importances.Rows / period, keys})
		return Sources{}
	}
	return gather(g, gathering{n.Summaries, n.Importances, n.Importances, false, n.Importances.Rows, n.Importances.Cols, 1}, period, pooling, worth, 0)
}

// WindowSources is CrossSources of one layer in every window of a pass, by "mean" or "max".
// Shape: the result (windows·P, S).
func WindowSources(g *graph.Graph, log Log, pools Pools, period int, pooling string, layer int) Sources {
	L, P := log.Importances.Rows, pools.Cols
	worth := g.Temp(pools.Rows/L, P)
	return gather(g, gathering{log.Summaries, log.Importances, pools.Value, true, L, P, log.Window}, period, pooling, worth, (layer+1)/period-1)
}

// gathering is where notes to gather are.
type gathering struct {
	summaries, importances, pools graph.Value
	logged                        bool
	L, P, W                       int
}

type (
	gatherSpec struct {
		pooling uint32
		logged  bool
	}
	gatherPush struct{ period, size, summary, keys, layers, attending, window int }
)

func gather(g *graph.Graph, from gathering, period int, pooling string, worth graph.Value, attending int) Sources {
	S := from.summaries.Cols
	mode, ok := map[string]uint32{"concat": 0, "mean": 1, "max": 2}[pooling]
	if !ok || from.logged && mode == 0 {
		g.Fail(fmt.Errorf("gather: pooling %q is not known", pooling))
	}
	s := Sources{Summaries: g.Temp(worth.Rows*worth.Cols, S), Importances: worth}
	g.Call("gather", graph.Kernel{Shader: "gather", Plain: true, Spec: gatherSpec{mode, from.logged}},
		[]graph.Value{params(g), from.summaries, from.importances, from.pools, s.Summaries, worth},
		gatherPush{period, from.P, S / 4, worth.Cols, from.L, attending, from.W},
		[3]int{graph.Groups(worth.Cols*S/4, 64), worth.Rows, 1}, graph.Cost{Bytes: 2 * s.Summaries.Bytes()})
	return s
}

type (
	lanesSpec struct{ lanes uint32 }
	keysPush  struct{ keys, summary, first int }
)

// Keys projects notes to the keys and values of attentions, as many as there are weights, each with
// its share of the notes.
// Shapes: w (layers·2S, S) with k_proj above v_proj, kv (rows, 2S).
func Keys(g *graph.Graph, s Sources, w Weight, kv graph.Value) {
	S, rows := s.Summaries.Cols, s.Rows
	if rows == 0 {
		rows = s.Summaries.Rows
	}
	layers := w.Rows / (2 * S)
	if layers == 0 || w.Rows != layers*2*S || w.Cols != S || rows%layers != 0 || kv.Rows != rows || kv.Cols != 2*S {
		mismatch(g, "keys", []int{w.Rows, w.Cols}, kv.Shape())
		return
	}
	keys := rows / layers
	g.Call("keys", graph.Kernel{Shader: "keys", Spec: lanesSpec{fetchLanes(g)}},
		[]graph.Value{s.Summaries, w.table(g, "keys"), s.Importances, kv},
		keysPush{keys, S / 4, s.First}, [3]int{graph.Groups(S/4, 8), graph.Groups(keys, 8), layers},
		graph.Cost{Bytes: 4*int64(rows)*int64(S) + kv.Bytes() + 4*int64(w.Rows)*int64(S), Flops: 4 * int64(S) * int64(S) * int64(rows)})
}

// An Attention is what the tokens of a pass read: of keys that are the same for all of them, or of a
// log, where pools say which rows of it a window reads.
type Attention struct {
	KV          graph.Value // (rows, 2S)
	Importances graph.Value // of each row; a key of importance 0 is none
	Pools       graph.Value // (places, ·) of rows, or none
	Keys        int         // of a token
	First       int         // key, or place of pools, in the pass's first window
	Step        int         // from window to window
	Base        int         // the log's row that KV begins with
	Window      int         // W
	Width       int         // S without padding
	Reads       graph.Value // (L, 1) when only a layer that reads attends, or none
	Layer       int         // that layer
	Sequences   int         // whose keys and reads lie one after the other; 0 is one
}

const attendTokens = 8 // of a workgroup, on a software device

// common says whether tokens of one workgroup may have the same keys: all tokens do when they are of one
// sequence and no log, those of a window when it is long enough for workgroups of its own. window is how
// many these are, or 0.
func (a Attention) common() (common bool, window int) {
	switch {
	case a.Sequences > 1:
		return false, 0
	case a.Pools.Zero():
		return a.Step == 0, 0
	case a.Window < attendTokens:
		return false, 0
	}
	return true, graph.Groups(a.Window, attendTokens)
}

type (
	attendSpec     struct{ gated, logged bool }
	attendLaneSpec struct {
		attendSpec
		summary int
		common  bool
		lanes   uint32
	}
	attendKeys struct {
		keys, first, step, base, window, stride, offset int
		scale                                           float64
		layer, apart, readers                           int
	}
	attendPush struct {
		attendKeys
		summary int
	}
	attendLanePush struct {
		attendKeys
		groups int
	}
)

// Attend returns softmax(q·k/√S + ln I) v for every token (arXiv 2510.03279, section 4.2; the bias
// ln I is ours), zero where the layer does not read or its pool is empty.
// Shapes: q and the result (T, S).
func Attend(g *graph.Graph, op string, q graph.Value, a Attention) graph.Value {
	S := q.Cols
	y := g.Temp(q.Rows, S)
	logged, gated, pools, reads := !a.Pools.Zero(), !a.Reads.Zero(), a.Pools, a.Reads
	sequences := max(1, a.Sequences)
	apart := a.KV.Rows / sequences
	if a.KV.Cols != 2*S || S > MaxSummary || a.Keys < 1 || a.Window < 1 || !logged && a.First+a.Keys > apart || logged && sequences > 1 {
		mismatch(g, op, q.Shape(), a.KV.Shape())
		return y
	}
	if !logged {
		pools = a.Importances // stands for what is not read
	}
	if !gated {
		reads = a.Importances
	}
	spec, groups := attendSpec{gated, logged}, q.Rows
	keys := attendKeys{a.Keys, a.First, a.Step, a.Base, a.Window, q.Stride / 4, q.From / 4, 1 / math.Sqrt(float64(a.Width)), a.Layer, apart, reads.Rows / sequences}
	kernel, push := graph.Kernel{Shader: "attend", Spec: spec}, any(attendPush{keys, S / 4})
	if g.Software() {
		common, window := a.common()
		kernel = graph.Kernel{Shader: "attend_lane", Spec: attendLaneSpec{spec, S / 4, common, fetchLanes(g)}}
		push = attendLanePush{keys, window}
		if groups = graph.Groups(q.Rows, attendTokens); window > 0 {
			groups = Windows(q.Rows, a.Window) * window
		}
	}
	g.Call(op, kernel, []graph.Value{params(g), q, a.KV, a.Importances, reads, pools, y}, push, [3]int{groups, 1, 1},
		graph.Cost{Bytes: 2*y.Bytes() + 8*int64(a.Keys)*int64(S), Flops: 4 * int64(q.Rows) * int64(a.Keys) * int64(S)})
	return y
}
