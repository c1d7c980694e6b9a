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

// Part is the i-th of the parts of the given number of rows that a table is made of.
func (w Weight) Part(i, rows int) Weight {
	bytes := 4 * int64(rows) * int64(w.Cols)
	w.Rows, w.Span = rows, w.Span.Buffer.Span(w.Span.Off+int64(i)*bytes, bytes)
	return w
}

// Layered is what every layer of every sequence has of the same shape, at even distances in a block, all in
// numbers.
type Layered struct {
	Block     graph.Value // rows of four
	First     int         // before that of the first layer of the first sequence
	Layer     int         // from layer to layer
	Sequence  int         // from sequence to sequence
	Sequences int         // in the block
}

// Every is what every period-th layer has, the first of them layer period-1.
func (l Layered) Every(period int) Layered {
	l.First, l.Layer = l.First+(period-1)*l.Layer, period*l.Layer
	return l
}

type decidePush struct {
	offset, stride, apart, readers, channels, states int
	scale, threshold                                 float64
}

// Decide writes which layers read their pool during the window that begins, or those of the layers before them, of
// at most the given number of sequences together: those whose state says sigmoid(w · mean_n(h) + b) > threshold. h is (E, N)
// of each of the L layers that are asked, states is N without padding.
// Shapes: w (L, E), bias (L, Pad), reads (sequences·rows, 1), L rows or more.
func Decide(g *graph.Graph, h Layered, together, states int, w, bias Weight, threshold float64, reads graph.Value) {
	L, E := w.Rows, w.Cols
	readers := reads.Rows / h.Sequences
	if bias.Rows != L || bias.Cols != Pad || readers < L || together > h.Sequences {
		mismatch(g, "decide", []int{w.Rows, w.Cols}, reads.Shape())
		return
	}
	g.Call("decide", graph.Kernel{Shader: "decide"}, []graph.Value{params(g), h.Block, w.table(g, "decide"), bias.table(g, "decide"), reads},
		decidePush{h.First / 4, h.Layer / 4, h.Sequence / 4, readers, E, Padded(states) / 4, 1 / float64(states), logit(threshold)},
		[3]int{L, together, 1}, graph.Cost{Bytes: 4 * int64(together) * int64(L) * int64(E) * int64(Padded(states))})
}

// Sources are what attentions read: notes with importances. Rows that attentions share follow one
// another.
type Sources struct {
	Summaries   graph.Value // (sequences·rows, S)
	Importances graph.Value // of each row
	First, Rows int         // the part of a sequence's rows that is meant; all when Rows is 0
	Sequences   int         // whose rows lie one after the other; 0 is one
	Together    int         // of the pass, at the most; 0 is one
}

// Sources are all pools, for at most the given number of sequences together.
func (n Notes) Sources(together int) Sources {
	return Sources{n.Summaries, n.Importances, 0, n.Importances.Rows * n.Importances.Cols, max(1, n.Sequences), together}
}

// CrossSources gathers what every attending layer of at most the given number of sequences together sees of the pools
// of the period layers before it, as cross-layer pooling says: "concat" all their notes, "mean" and "max"
// joining the j-th newest of each. Attending are the layers l with (l+1) % period == 0. worth takes the
// importances.
// Shape: worth (sequences·rows, 1), attending·keys rows or more with period·P keys for concat, else P.
func CrossSources(g *graph.Graph, n Notes, together, period int, pooling string, worth graph.Value) Sources {
	L, P, all := n.Importances.Rows, n.Importances.Cols, max(1, n.Sequences)
	from := gathering{n.Summaries, n.Importances, n.Importances, false, L, P, 1, P, L / period, n.apart(), all, together}
	if pooling == "concat" {
		from.keys *= period
	}
	if worth.Cols != 1 || worth.Rows/all < from.lists*from.keys || together > all {
		mismatch(g, "gather", worth.Shape(), []int{from.lists, from.keys})
		return Sources{}
	}
	return gather(g, from, period, pooling, worth, 0)
}

// WindowSources is CrossSources of one layer in every window of a pass of one sequence, by "mean" or "max".
// Shape: the result (windows·P, S).
func WindowSources(g *graph.Graph, log Log, pools Pools, period int, pooling string, layer int) Sources {
	L, P := log.Importances.Rows, pools.Cols
	from := gathering{log.Summaries, log.Importances, pools.Value, true, L, P, log.Window, P, pools.Rows / L, 0, 1, 1}
	return gather(g, from, period, pooling, g.Temp(from.lists*P, 1), (layer+1)/period-1)
}

// gathering is where notes to gather are, and into how many lists of how many keys.
type gathering struct {
	summaries, importances, pools graph.Value
	logged                        bool
	L, P, W                       int
	keys, lists                   int
	apart                         int // notes from sequence to sequence
	sequences, together           int
}

type (
	gatherSpec struct {
		pooling uint32
		logged  bool
	}
	gatherPush struct{ period, size, summary, keys, layers, attending, window, pooled, apart int }
)

func gather(g *graph.Graph, from gathering, period int, pooling string, worth graph.Value, attending int) Sources {
	S := from.summaries.Cols
	mode, ok := map[string]uint32{"concat": 0, "mean": 1, "max": 2}[pooling]
	if !ok || from.logged && mode == 0 {
		g.Fail(fmt.Errorf("gather: pooling %q is not known", pooling))
	}
	s := Sources{g.Temp(worth.Rows, S), worth, 0, from.lists * from.keys, from.sequences, from.together}
	g.Call("gather", graph.Kernel{Shader: "gather", Plain: true, Spec: gatherSpec{mode, from.logged}},
		[]graph.Value{params(g), from.summaries, from.importances, from.pools, s.Summaries, worth},
		gatherPush{period, from.P, S / 4, from.keys, from.L, attending, from.W, from.apart, worth.Rows / from.sequences},
		[3]int{graph.Groups(from.keys*S/4, 64), from.lists, from.together},
		graph.Cost{Bytes: 8 * int64(s.Together) * int64(s.Rows) * int64(S)})
	return s
}

type (
	lanesSpec struct{ lanes uint32 }
	keysPush  struct{ keys, summary, first, apart, together int }
)

// Keys projects notes to the keys and values of attentions, as many as there are weights, each with
// its share of the notes.
// Shapes: w (layers·2S, S) with k_proj above v_proj, kv (rows, 2S), of several sequences as the notes lie.
func Keys(g *graph.Graph, s Sources, w Weight, kv graph.Value) {
	S, rows, together := s.Summaries.Cols, s.Rows, max(1, s.Together)
	apart, layers := kv.Rows/max(1, s.Sequences), w.Rows/(2*S)
	if rows == 0 {
		rows = s.Summaries.Rows / max(1, s.Sequences)
	}
	if layers == 0 || w.Rows != layers*2*S || w.Cols != S || rows%layers != 0 || apart < rows || kv.Cols != 2*S ||
		s.Sequences > 1 && (s.Summaries.Rows != kv.Rows || s.First > 0) {
		mismatch(g, "keys", []int{w.Rows, w.Cols}, kv.Shape())
		return
	}
	keys, all := rows/layers, int64(together)*int64(rows)
	g.Call("keys", graph.Kernel{Shader: "keys", Spec: lanesSpec{fetchLanes(g)}},
		[]graph.Value{params(g), s.Summaries, w.table(g, "keys"), s.Importances, kv},
		keysPush{keys, S / 4, s.First, apart, together}, [3]int{graph.Groups(S/4, 8), graph.Groups(keys, 8), layers * together},
		graph.Cost{Bytes: 12*all*int64(S) + 4*int64(w.Rows)*int64(S), Flops: 4 * int64(S) * int64(S) * all})
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
	Reads       graph.Value // (L, 1) of Decide when only a layer that reads attends, or none
	Layer       int         // that layer, of those that were asked
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
