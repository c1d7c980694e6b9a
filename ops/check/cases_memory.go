package check

import (
	"fmt"
	"math"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/ops/ref"
)

// A judge is a scorer of notes with the numbers it is made of.
type judge struct {
	ops.Scorer
	norm, w []float32
	bias    float32
}

func newJudge(r *rig, d int) *judge {
	j := &judge{norm: r.random(d, 1), w: r.random(d, 1), bias: r.random(1, 1)[0]}
	folded := make([]float32, d+ops.Pad)
	for i := range d {
		folded[i] = j.w[i] * j.norm[i]
	}
	folded[d] = j.bias
	j.Scorer = ops.Scorer{Weight: r.table(1, d+ops.Pad, folded), Norm: ops.Norm{Weight: r.vector(j.norm), Width: d, Eps: 1e-5}, Threshold: 0.5}
	return j
}

// worth are the importances of T tokens x (T, d).
func (j *judge) worth(x []float32, T int) []float32 {
	d := len(j.w)
	return ref.NoteScore(ref.RMSNorm(x, j.norm, 1e-5, T, d), j.w, j.bias, T, d)
}

// noteToken is one token's Note Block.
func noteToken(r *rig, a graph.Access, t ops.Type) {
	const d, S, width, W = 264, 16, 24, 16
	r.begin(a, 1, 1, 5)
	x, score := r.random(d, 2), newJudge(r, d)
	w, wide := r.matrix(t, S+width, d, 0.3)
	summaries, noted := r.random(W*S, 1), r.random(W, 1)
	pending := ops.Pending{Summaries: r.value("pending", W, S, summaries), Importances: r.value("noted", 1, W, noted), Sequences: 1}
	queries, _ := ops.NoteToken(r.g, "notes", r.value("x", 1, d, x), w, score.Scorer, pending.Of(0))
	got := r.run(queries)
	product, I := ref.Linear(ref.RMSNorm(x, score.norm, 1e-5, 1, d), wide, nil, 1, d, S+width), score.worth(x, 1)[0]
	if noted[5] = 0; I > 0.5 {
		noted[5] = I
	}
	copy(summaries[5*S:6*S], product)
	r.near("queries", got, product[S:])
	r.near("importances", r.read("noted"), noted)
	r.near("summaries", r.read("pending"), summaries)
}

// notes takes the notes of a pass over three windows through log, pools and commit, with either policy.
func notes(r *rig, a graph.Access) {
	const L, P, W, S, d, T, position = 2, 5, 16, 16, 40, 33, 5*16 + 3
	for _, policy := range []string{ref.FIFO, ref.Priority} {
		r.begin(a, T, 1, position)
		summaries, waiting := r.random(L*P*S, 1), r.random(L*W*S, 1)
		importances, noted, positions := make([]float32, L*P), make([]float32, L*W), make([]uint32, L*P)
		pools, waits := make([][]ref.Note, L), make([][]ref.Note, L)
		for i := range importances {
			importances[i], positions[i] = float32(1+r.rng.IntN(64))/65, uint32(i)
			pools[i/P] = append(pools[i/P], ref.Note{Position: int64(i), Importance: importances[i], Summary: summaries[i*S : (i+1)*S]})
		}
		for l := range L {
			for i := range position % W {
				at := l*W + i
				noted[at] = float32(1+r.rng.IntN(64)) / 67
				waits[l] = append(waits[l], ref.Note{Position: int64(position - position%W + i), Importance: noted[at], Summary: waiting[at*S : (at+1)*S]})
			}
		}
		r.words("position", positions)
		n := ops.Notes{Summaries: r.value("pool", L*P, S, summaries), Importances: r.value("importance", L, P, importances), Positions: r.g.Slot("position", 0, L, P), Sequences: 1}
		pending := ops.Pending{Summaries: r.value("pending", L*W, S, waiting), Importances: r.value("noted", L, W, noted), Sequences: 1}
		log, room := ops.OpenLog(r.g, n, pending, 1, T), ref.Room{First: P, Most: P}
		var after []ref.Note
		for l := range L {
			x, own, score := r.random(T*d, 1), r.random(T*S, 1), newJudge(r, d)
			ops.Note(r.g, r.value(fmt.Sprint("x", l), T, d, x), r.value(fmt.Sprint("notes", l), T, S, own), score.Scorer, log.Of(l))
			var fresh []ref.Note
			for i, I := range score.worth(x, T) {
				if I > 0.5 {
					fresh = append(fresh, ref.Note{Position: position + int64(i), Importance: I, Summary: own[i*S : (i+1)*S]})
				}
			}
			windows, _ := ref.Windows(pools[l], waits[l], fresh, policy, room, W, position, T)
			after = append(after, windows[len(windows)-1]...)
		}
		found := ops.NewPools(r.g, log, P)
		ops.FillPools(r.g, log, found, ops.Room{First: P}, policy == ref.Priority, 0, L)
		ops.Commit(r.g, log, found, pending, n)
		r.run(graph.Value{})
		wantS, wantI := ref.Flat(after)
		r.near(policy+" summaries", r.read("pool"), wantS)
		r.near(policy+" importances", r.read("importance"), wantI)
	}
}

// pool is a layer's pool of P notes of which the first place is empty.
func pool(r *rig, P, S int) (summaries, importances []float32) {
	summaries, importances = r.random(P*S, 1), make([]float32, P)
	for i := 1; i < P; i++ {
		importances[i] = float32(1+r.rng.IntN(8)) / 8
	}
	return summaries, importances
}

// attend projects notes to keys and values and reads them, for one token and for several.
func attend(r *rig, a graph.Access) {
	const P, S = 70, 16
	for _, T := range []int{1, 17} {
		r.begin(a, T, 1, 0)
		summaries, importances := pool(r, P, S)
		x, w := r.random(T*S, 1), r.random(2*S*S, 0.3)
		worth := r.value("worth", 1, P, importances)
		kv := r.value("kv", P, 2*S, make([]float32, P*2*S))
		ops.Keys(r.g, ops.Sources{Summaries: r.value("summaries", P, S, summaries), Importances: worth}, r.table(2*S, S, w), kv)
		y := r.run(ops.Attend(r.g, "attend", r.value("x", T, S, x), ops.Attention{KV: kv, Importances: worth, Keys: P, Window: T, Width: S}))
		one := identity(S)
		r.near("outputs", y, ref.PoolAttention(x, ref.Attention{Q: one, K: w[:S*S], V: w[S*S:], O: one}, summaries[S:], importances[1:], T, S, S))
	}
}

// recall is a token's attention with its fusion.
func recall(r *rig, a graph.Access, t ops.Type) {
	const keys, S = 9, 16
	r.begin(a, 1, 1, 0)
	summaries, importances := pool(r, keys, S)
	stream, norm, q := r.random(S, 2), r.random(S, 1), r.random(S, 1)
	out, wide := r.matrix(t, S, S, 0.3)
	var kv []float32 // a note is its own key and value
	for i := range keys {
		kv = append(append(kv, summaries[i*S:(i+1)*S]...), summaries[i*S:(i+1)*S]...)
	}
	square := 0.0
	for _, v := range stream {
		square += float64(v) * float64(v)
	}
	scales := make([]float32, ops.Pad)
	scales[0] = float32(1 / math.Sqrt(square/S+1e-5))
	token := ops.Recall{Attention: ops.Attention{KV: r.value("kv", keys, 2*S, kv), Importances: r.value("worth", 1, keys, importances), Keys: keys, Width: S, Window: 4, Sequences: 1}, Fusion: ops.Fusion{Out: out}}
	n := ops.Norm{Weight: r.vector(norm), Width: S, Eps: 1e-5}
	y := r.run(ops.RecallToken(r.g, "recall", r.value("stream", 1, S, stream), n, r.value("scales", 1, ops.Pad, scales), r.value("queries", 1, S, q), token, ops.Recall{}))
	one := identity(S)
	found := ref.PoolAttention(q, ref.Attention{Q: one, K: one, V: one, O: wide}, summaries[S:], importances[1:], 1, S, S)
	r.near("outputs", y, ref.Add(ref.RMSNorm(stream, norm, 1e-5, 1, S), found))
}

// gather joins the pools of layers.
func gather(r *rig, a graph.Access) {
	const L, P, S, period = 4, 6, 16, 2
	for _, pooling := range []string{ref.Concat, "mean", "max"} {
		r.begin(a, 1, 1, 0)
		var summaries, importances []float32
		var pools [][]ref.Note
		for range L {
			rows, worth := pool(r, P, S)
			var one []ref.Note
			for i := 1; i < P; i++ {
				one = append(one, ref.Note{Importance: worth[i], Summary: rows[i*S : (i+1)*S]})
			}
			summaries, importances, pools = append(summaries, rows...), append(importances, worth...), append(pools, one)
		}
		keys := P
		if pooling == ref.Concat {
			keys *= period
		}
		n := ops.Notes{Summaries: r.value("pool", L*P, S, summaries), Importances: r.value("importance", L, P, importances), Sequences: 1}
		worth := r.value("worth", L/period*keys, 1, make([]float32, L/period*keys))
		got := r.run(ops.CrossSources(r.g, n, 1, period, pooling, worth).Summaries)
		for i := range L / period {
			layer := (i+1)*period - 1
			want, of := ref.CrossGather(pools[max(0, layer-period):layer], pooling)
			r.gathered(pooling, got, r.read("worth"), i*keys, keys, want, of)
		}
	}
}

// gathered compares the notes of a list of the given number of places: those that are not empty, in their order.
func (r *rig) gathered(pooling string, rows, worth []float32, first, places int, want, of []float32) {
	if r.err != nil {
		return
	}
	S := len(rows) / len(worth)
	var have, importances []float32
	for i := first; i < first+places; i++ {
		if worth[i] > 0 {
			have, importances = append(have, rows[i*S:(i+1)*S]...), append(importances, worth[i])
		}
	}
	r.near(pooling+" importances", importances, of)
	r.near(pooling+" notes", have, want)
}
