package ops

import "github.com/mmrun/mmrun/graph"

// Room is how many notes a pool has room for: First, and Growth more whenever the number of windows has doubled
// since the second, up to its places.
type Room struct{ First, Growth int }

// Notes are the pools of all layers, P places each, oldest first and the newest in the last place; a
// place of importance 0 is empty.
type Notes struct {
	Summaries   graph.Value // (sequences·rows, S), L·P rows or more
	Importances graph.Value // (L, P), of the first sequence; those of the others lie as far apart as summaries
	Positions   graph.Value // (L, P), of the notes' tokens
	Sequences   int         // whose pools lie one after the other; 0 is one
}

// Pending are the notes of the window so far, each at its token's place in the window; a place of
// importance 0 has none.
type Pending struct {
	Summaries   graph.Value // (sequences·rows, S), L·W rows or more
	Importances graph.Value // (L, W), of the first sequence; those of the others lie as far apart as summaries
	Sequences   int         // whose notes lie one after the other; 0 is one
}

// apart is how many notes lie from sequence to sequence.
func (n Notes) apart() int   { return n.Summaries.Rows / max(1, n.Sequences) }
func (p Pending) apart() int { return p.Summaries.Rows / max(1, p.Sequences) }

// A Log is all that a pass knows of notes: of every layer the pool's, oldest first, the pending ones, and
// one row for each token of the pass. A row of importance 0 has none. Sequences have one each.
type Log struct {
	Summaries   graph.Value // (sequences·L·rows, S)
	Importances graph.Value // (L, rows), of the first sequence
	Positions   graph.Value // (L, held), of those from before the pass
	Held        int         // rows of a layer from before the pass
	Window      int         // W
	Sequences   int         // there is room for
	Together    int         // of the pass, at the most
}

// Pools say which notes of a log are in a layer's pool in a window of the pass, oldest first and the
// newest in the last place.
// Shape: (windows·L, P) of the first sequence, rows of the log.
type Pools struct{ graph.Value }

type (
	logPush    struct{ rows, held, size, window, layers, summary, pooled, waiting int }
	lifeSpec   struct{ priority, grows bool }
	lifePush   struct{ rows, held, size, window, layer, layers, room, growth int }
	pickPush   struct{ rows, held, size, window, layer, layers, windows int }
	commitPush struct{ rows, held, size, window, layers, summary, windows, pooled, waiting int }
)

const vector = 4 // rows of a log that are read at once

// eachOf is a temporary of every sequence.
// Shape: (rows, cols) of the first.
func eachOf(g *graph.Graph, sequences, rows, cols int) graph.Value {
	return g.Shaped(g.Temp(sequences*rows, cols), rows, cols)
}

// OpenLog begins the logs of a pass of at most the given number of sequences together, of the given number of tokens each,
// which may be none: pools and pending notes are in it, the pass's own notes come by Note.
func OpenLog(g *graph.Graph, n Notes, p Pending, together, tokens int) Log {
	L, P, W, S, all := n.Importances.Rows, n.Importances.Cols, p.Importances.Cols, n.Summaries.Cols, max(1, n.Sequences)
	held := vector * graph.Groups(P+W, vector)
	rows := held + vector*((tokens+vector-1)/vector)
	log := Log{g.Temp(all*L*rows, S), eachOf(g, all, L, rows), eachOf(g, all, L, held), held, W, all, together}
	if p.Importances.Rows != L || P > MaxPool || W > MaxWindow || n.apart() < L*P || p.apart() < L*W || p.Summaries.Cols != S || max(1, p.Sequences) != all || together > all {
		mismatch(g, "log", n.Summaries.Shape(), p.Summaries.Shape())
		return log
	}
	g.Call("log", graph.Kernel{Shader: "log"},
		[]graph.Value{params(g), n.Summaries, n.Importances, n.Positions, p.Summaries, p.Importances, log.Summaries, log.Importances, log.Positions},
		logPush{rows, held, P, W, L, S / 4, n.apart(), p.apart()}, [3]int{graph.Groups(held*S/4, 64), L, together},
		graph.Cost{Bytes: 8 * int64(together) * int64(L) * int64(P+W) * int64(S)})
	return log
}

// Windows is how many windows of W tokens a pass of the given number of tokens touches at the most.
func Windows(tokens, W int) int { return 1 + (max(tokens, 1)+W-2)/W }

// NewPools returns room for the pools of all windows that the pass of a log touches at the most.
func NewPools(g *graph.Graph, log Log, P int) Pools {
	tokens := log.Importances.Cols - log.Held
	return Pools{eachOf(g, log.Sequences, Windows(tokens, log.Window)*log.Importances.Rows, P)}
}

// FillPools finds the pools of layers [from, to): notes are committed in token order at the first
// token of a window. A full pool lets its oldest note go, or with priority its least important one if
// the new note is more important (the oldest among equals). The pools of the window w of a sequence, counted
// from 0, are full with min(P, First + Growth·floor(log2 w)) notes.
func FillPools(g *graph.Graph, log Log, pools Pools, room Room, priority bool, from, to int) {
	L, rows, P := log.Importances.Rows, log.Importances.Cols, pools.Cols
	if from < 0 || to > L || from >= to || pools.Rows%L != 0 || room.First < 1 || room.First > P || room.Growth < 0 || room.Growth > MaxPool {
		mismatch(g, "pools", []int{from, to, room.First, room.Growth}, pools.Shape())
		return
	}
	windows, layers := pools.Rows/L, int64(log.Together)*int64(to-from)
	life := eachOf(g, log.Sequences, L, 2*rows)
	g.Call("life", graph.Kernel{Shader: "life", Spec: lifeSpec{priority, room.First < P}},
		[]graph.Value{params(g), log.Importances, life},
		lifePush{rows, log.Held, P, log.Window, from, L, room.First, room.Growth}, [3]int{graph.Groups(rows, 32), to - from, log.Together},
		graph.Cost{Bytes: 12 * int64(rows) * layers})
	g.Call("pick", graph.Kernel{Shader: "pick"},
		[]graph.Value{params(g), life, pools.Value},
		pickPush{rows, log.Held, P, log.Window, from, L, windows}, [3]int{graph.Groups(windows, 8), to - from, log.Together},
		graph.Cost{Bytes: pools.Bytes() / int64(L) * layers})
}

// Commit makes the pools of a log's last window those of its sequences, and what their tokens noted
// pending.
func Commit(g *graph.Graph, log Log, pools Pools, p Pending, n Notes) {
	L, P, W, S := n.Importances.Rows, n.Importances.Cols, log.Window, n.Summaries.Cols
	if log.Importances.Rows != L || pools.Cols != P || pools.Rows%L != 0 || p.Importances.Cols != W ||
		n.apart() < L*P || p.apart() < L*W || max(1, n.Sequences) != log.Sequences || max(1, p.Sequences) != log.Sequences {
		mismatch(g, "commit", pools.Shape(), n.Summaries.Shape())
		return
	}
	g.Call("commit", graph.Kernel{Shader: "commit"},
		[]graph.Value{params(g), log.Summaries, log.Importances, log.Positions, pools.Value,
			n.Summaries, n.Importances, n.Positions, p.Summaries, p.Importances},
		commitPush{log.Importances.Cols, log.Held, P, W, L, S / 4, pools.Rows / L, n.apart(), p.apart()},
		[3]int{graph.Groups((P+W)*S/4, 64), L, log.Together},
		graph.Cost{Bytes: 8 * int64(log.Together) * int64(L) * int64(P+W) * int64(S)})
}
