package ops

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// TestAttendOwnNotes: an attention sees its own keys among those of all layers, through a view of
// its query, no empty place, and nothing at all when its layer does not read.
func TestAttendOwnNotes(t *testing.T) {
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		for _, P := range []int{1, 2, 64, 65, 200} { // either side of a block of keys
			for index, gate := range []string{"none", "reads", "does not read"} {
				testAttend(t, access, T, P, index, gate)
			}
		}
	})
}

func testAttend(t *testing.T, access graph.Access, T, P, index int, gate string) {
	t.Helper()
	const layers, S, width = 3, 16, 13 // S is padded
	r := newRig(t, access, T, 1, 0, 0)
	n, pools := ragged(r, layers, P, S)
	x, w := r.random(T*3*S, 1), r.random(layers*2*S*S, 0.3)
	weight := r.table(layers*2*S, S, w)
	a := Attention{KV: r.value("kv", layers*P, 2*S, make([]float32, layers*P*2*S)), Importances: n.Importances, Keys: P, First: index * P, Window: T, Width: width, Layer: 1}
	if gate != "none" {
		r.words("reads", []uint32{1, map[string]uint32{"reads": 1}[gate], 1})
		a.Reads = r.g.Slot("reads", 0, layers, 1)
	}
	Keys(r.g, Sources{Summaries: n.Summaries, Importances: n.Importances}, weight, a.KV)
	y := r.run(Attend(r.g, "attend", r.g.Columns(r.value("x", T, 3*S, x), S, 2*S), a))

	want := make([]float32, T*S)
	if pool := pools[index]; gate != "does not read" && len(pool) > 0 {
		// The reference takes the middle third of x by its query projection, which also makes up for
		// its scale of 1/√S, and gives back what it mixed.
		q, one := make([]float32, S*3*S), make([]float32, 3*S*S)
		for i := range S {
			q[i*3*S+S+i] = float32(math.Sqrt(float64(S) / float64(width)))
			one[i*S+i] = 1
		}
		own := w[index*2*S*S:]
		summaries, importances := ref.Flat(pool)
		mixed := ref.PoolAttention(x, ref.Attention{Q: q, K: own[:S*S], V: own[S*S : 2*S*S], O: one}, summaries, importances, T, 3*S, S)
		for i := range T {
			copy(want[i*S:(i+1)*S], mixed[i*3*S:])
		}
	}
	near(t, fmt.Sprintf("P=%d index=%d gate=%s", P, index, gate), y, want)
}

// TestAttendSequences: one token of each of several sequences sees the keys of its own sequence, if that
// reads.
func TestAttendSequences(t *testing.T) {
	const S, P, layers, index, rows = 16, 5, 3, 1, MaxSequences
	for _, access := range accesses {
		for _, of := range sequenceRows {
			B := len(of)
			r := newRigOf(t, access, 1, of, make([]int, B))
			n, pools := ragged(r, rows*layers, P, S) // of all layers of one sequence, then of the next
			x, w, reads := r.random(B*S, 1), r.random(2*S*S, 0.3), make([]uint32, rows*layers)
			for row := range rows {
				reads[row*layers+index] = uint32(row % 4)
			}
			r.words("reads", reads)
			a := Attention{KV: r.value("kv", rows*layers*P, 2*S, make([]float32, rows*layers*P*2*S)), Importances: n.Importances,
				Keys: P, First: index * P, Window: 4, Width: S, Reads: r.g.Slot("reads", 0, rows*layers, 1), Layer: index, Sequences: rows}
			Keys(r.g, Sources{Summaries: n.Summaries, Importances: n.Importances, Sequences: rows, Together: B}, r.table(layers*2*S, S, slices.Repeat(w, layers)), a.KV)
			y := r.run(Attend(r.g, "attend", r.value("x", B, S, x), a))
			for b, row := range of {
				want := make([]float32, S)
				if pool := pools[row*layers+index]; row%4 > 0 && len(pool) > 0 {
					summaries, importances := ref.Flat(pool)
					want = ref.PoolAttention(x[b*S:], ref.Attention{Q: identity(S), K: w[:S*S], V: w[S*S:], O: identity(S)}, summaries, importances, 1, S, S)
				}
				near(t, fmt.Sprintf("%s: B=%d: sequence %d", access, B, b), y[b*S:(b+1)*S], want)
			}
		}
	}
}

// logRig is a log of L layers for a pass over some windows, with pools of any fill out of it: each
// window's, layer by layer.
func logRig(r *rig, L, rows, P, S, windows, W int) (Log, Pools, [][][]ref.Note) {
	summaries, importances := r.random(L*rows*S, 1), make([]float32, L*rows)
	for i := range importances {
		importances[i] = float32(1+r.rng.IntN(8)) / 8
	}
	log := Log{r.value("log", L*rows, S, summaries), r.value("worth", L, rows, importances), graph.Value{}, P + W, W, 1, 1}
	table, pools := make([]uint32, 0, windows*L*P), make([][][]ref.Note, windows)
	for w := range windows {
		for l := range L {
			count, pool := []int{P, 0, 1, P / 2}[(w+l)%4], []ref.Note(nil)
			table = append(table, slices.Repeat([]uint32{math.MaxUint32}, P-count)...)
			for range count {
				row := l*rows + r.rng.IntN(rows)
				table = append(table, uint32(row))
				pool = append(pool, ref.Note{Importance: importances[row], Summary: summaries[row*S : (row+1)*S]})
			}
			pools[w] = append(pools[w], pool)
		}
	}
	r.words("pools", table)
	return log, Pools{r.g.Slot("pools", 0, windows*L, P)}, pools
}

// TestAttendInWindows: in a pass through several windows, every token reads the pools of its own.
func TestAttendInWindows(t *testing.T) {
	const L, S, rows = 4, 16, 40
	for _, access := range accesses {
		for _, c := range []struct{ T, W, P, from, to, into int }{
			{5, 1, 3, 0, 1, 0}, {65, 16, 30, 2, 3, 5}, {65, 64, 50, 1, 4, 63}, {20, 7, 70, 0, 4, 6},
		} {
			windows := Windows(c.T, c.W)
			r := newRig(t, access, c.T, 1, 0, 9*c.W+c.into)
			log, pools, want := logRig(r, L, rows, c.P, S, windows, c.W)
			x, w := r.random(c.T*S, 1), r.random(2*S*S, 0.3)
			layers := c.to - c.from
			kv := r.value("kv", layers*rows, 2*S, make([]float32, layers*rows*2*S))
			Keys(r.g, Sources{log.Summaries, log.Importances, c.from * rows, layers * rows, 0, 0}, r.table(2*S, S, w), kv)
			y := r.run(Attend(r.g, "attend", r.value("x", c.T, S, x), Attention{KV: kv, Importances: log.Importances, Pools: pools.Value,
				Keys: layers * c.P, First: c.from * c.P, Step: L * c.P, Base: c.from * rows, Window: c.W, Width: S}))
			for i := range c.T {
				summaries, importances := ref.CrossGather(want[(c.into+i)/c.W][c.from:c.to], ref.Concat)
				near(t, fmt.Sprintf("%+v: token %d", c, i), y[i*S:(i+1)*S],
					ref.PoolAttention(x[i*S:], ref.Attention{Q: identity(S), K: w[:S*S], V: w[S*S:], O: identity(S)}, summaries, importances, 1, S, S))
			}
		}
	}
}

// TestAttendJoined: with pools joined note by note, every token reads what was joined of its window's.
func TestAttendJoined(t *testing.T) {
	const L, S, rows, period, layer = 7, 8, 40, 3, 5
	for _, access := range accesses {
		for _, pooling := range []string{"mean", "max"} {
			for _, c := range []struct{ T, W, P, into int }{{5, 1, 3, 0}, {65, 16, 30, 5}, {70, 64, 50, 63}} {
				windows := Windows(c.T, c.W)
				r := newRig(t, access, c.T, 1, 0, 9*c.W+c.into)
				log, pools, want := logRig(r, L, rows, c.P, S, windows, c.W)
				x, w := r.random(c.T*S, 1), r.random(2*S*S, 0.3)
				s := WindowSources(r.g, log, pools, period, pooling, layer)
				kv := r.value("kv", windows*c.P, 2*S, make([]float32, windows*c.P*2*S))
				Keys(r.g, s, r.table(2*S, S, w), kv)
				y := r.run(Attend(r.g, "attend", r.value("x", c.T, S, x), Attention{KV: kv, Importances: s.Importances,
					Keys: c.P, Step: c.P, Window: c.W, Width: S}))
				for i := range c.T {
					summaries, importances := ref.CrossGather(want[(c.into+i)/c.W][layer-period:layer], pooling)
					near(t, fmt.Sprintf("%s: %+v: token %d", pooling, c, i), y[i*S:(i+1)*S],
						ref.PoolAttention(x[i*S:], ref.Attention{Q: identity(S), K: w[:S*S], V: w[S*S:], O: identity(S)}, summaries, importances, 1, S, S))
				}
			}
		}
	}
}

// identity is the matrix that changes nothing.
func identity(n int) []float32 {
	one := make([]float32, n*n)
	for i := range n {
		one[i*n+i] = 1
	}
	return one
}
