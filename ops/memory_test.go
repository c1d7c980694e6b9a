package ops

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// memoryRig is the memory of some layers on the device.
func memoryRig(r *rig, L, P, W, S int) (Notes, Pending) {
	zero := func(name string, rows, cols int) graph.Value {
		return r.value(name, rows, cols, make([]float32, rows*cols))
	}
	return Notes{zero("pool", L*P, S), zero("importance", L, P), zero("position", L, P), zero("newest", L, P), zero("total", L, 1)},
		Pending{zero("pending", L*W, S), zero("noted", L, W)}
}

// poolOf reads layer l's pool, oldest first.
func poolOf(r *rig, l, P, S int) []ref.Note {
	pool, importance, position := r.read("pool"), r.read("importance"), r.read("position")
	var notes []ref.Note
	for i := l * P; i < (l+1)*P; i++ {
		if importance[i] > 0 {
			notes = append(notes, ref.Note{Position: int64(math.Float32bits(position[i])), Importance: importance[i], Summary: pool[i*S : (i+1)*S]})
		}
	}
	slices.SortFunc(notes, func(a, b ref.Note) int { return int(a.Position - b.Position) })
	return notes
}

// TestCommit commits window after window, importances with ties, and follows the reference's pools.
func TestCommit(t *testing.T) {
	for _, policy := range []string{"fifo", "priority"} {
		for _, P := range []int{1, 7, 50, 256} {
			for _, size := range [][2]int{{1, 20}, {24, 14}, {65, 5}, {MaxWindow, 3}} {
				W, windows := size[0], size[1]
				t.Run(fmt.Sprintf("%s/P=%d/W=%d", policy, P, W), func(t *testing.T) { testCommit(t, policy, P, W, windows) })
			}
		}
	}
}

func testCommit(t *testing.T, policy string, P, W, windows int) {
	const L, S = 3, 8
	r := newRig(t, graph.Buffer, 1, 1, 0, 0)
	n, pending := memoryRig(r, L, P, W, S)
	pools, totals, params := make([][]ref.Note, L), make([]int, L), make([]uint32, ParamsBytes/4)
	for window := range windows {
		summaries, noted := r.random(L*W*S, 1), make([]float32, L*W)
		for l := range L {
			var fresh []ref.Note
			for i := range W {
				if r.rng.IntN(3) == 0 {
					continue
				}
				noted[l*W+i] = float32(1+r.rng.IntN(8)) / 8
				at := l*W + i
				fresh = append(fresh, ref.Note{Position: int64(window*W + i), Importance: noted[at], Summary: summaries[at*S : (at+1)*S]})
			}
			pools[l] = ref.Commit(pools[l], fresh, policy, P)
		}
		params[0], params[1], params[4] = 1, 1, uint32((window+1)*W)
		r.words(ParamsSlot, params)
		r.words("pending", bits(summaries))
		r.words("noted", bits(noted))
		r.g = graph.NewAccess(device, graph.Buffer)
		Commit(r.g, pending, n, policy == "priority")
		r.run(graph.Value{})
		for l := range L {
			if got := poolOf(r, l, P, S); !slices.EqualFunc(got, pools[l], sameNote) {
				t.Fatalf("window %d, layer %d: pool %v, want %v", window, l, got, pools[l])
			}
			totals[l] = checkNewest(t, r, l, P, pools[l], totals[l])
		}
		if slices.ContainsFunc(r.read("noted"), func(I float32) bool { return I != 0 }) {
			t.Fatalf("window %d: notes are still pending", window)
		}
	}
}

// checkNewest holds a layer's order by recency to its pool, and its count of notes, which it
// returns, to what goes on counting: it decides where a note goes.
func checkNewest(t *testing.T, r *rig, l, P int, pool []ref.Note, before int) int {
	t.Helper()
	newest, position := r.read("newest")[l*P:], r.read("position")[l*P:]
	for j := range pool {
		place := math.Float32bits(newest[j])
		if got, want := int64(math.Float32bits(position[place])), pool[len(pool)-1-j].Position; got != want {
			t.Fatalf("layer %d: the newest note but %d is of token %d, want %d", l, j, got, want)
		}
	}
	total := int(math.Float32bits(r.read("total")[l]))
	if total < before || total < len(pool) || len(pool) < P && total != len(pool) {
		t.Fatalf("layer %d: %d notes committed after %d, and %d in the pool", l, total, before, len(pool))
	}
	return total
}

func sameNote(a, b ref.Note) bool {
	return a.Position == b.Position && a.Importance == b.Importance && slices.Equal(a.Summary, b.Summary)
}

// TestRecall holds Keys and Attend together against pool attention with queries, and output
// projection, of one's.
func TestRecall(t *testing.T) {
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		for _, shape := range [][2]int{{1, 8}, {50, 64}, {200, 16}, {256, 256}} {
			P, S := shape[0], shape[1]
			if S == MaxSummary && T > 65 {
				continue // the reference takes seconds, and more tokens are only more workgroups
			}
			r := newRig(t, access, T, 1, 0, 0)
			x, k, v := r.random(T*S, 1), r.random(S*S, 0.3), r.random(S*S, 0.3)
			summaries, worth := r.random(P*S, 1), r.random(P, 1)
			for i, I := range worth {
				worth[i] = I*I + 1e-3
			}
			w := r.table(2*S, S, append(slices.Clone(k), v...))
			kv := r.value("kv", P, 2*S, make([]float32, P*2*S))
			importances := r.value("worth", 1, P, worth)
			Keys(r.g, Sources{r.value("summaries", P, S, summaries), importances}, w, kv)
			y := r.run(Attend(r.g, "attend", r.value("x", T, S, x), Attention{KV: kv, Importances: importances, Width: S}))
			one := make([]float32, S*S)
			for i := range S {
				one[i*S+i] = 1
			}
			near(t, fmt.Sprintf("P=%d S=%d", P, S), y, ref.PoolAttention(x, ref.Attention{Q: one, K: k, V: v, O: one}, summaries, worth, T, S, S))
		}
	})
}

// TestDecide compares the read decisions on either side of the threshold, for states that are padded
// and lie among other things.
func TestDecide(t *testing.T) {
	const L = 6
	for _, access := range accesses {
		for _, E := range []int{8, 24, 64, 72, 1536} {
			for _, N := range []int{1, 8, 13, 16, 64} {
				for _, threshold := range []float64{0.3, 0.5, -1, 1} {
					testDecide(t, access, L, E, N, threshold)
				}
			}
		}
	}
}

func testDecide(t *testing.T, access graph.Access, L, E, N int, threshold float64) {
	t.Helper()
	r := newRig(t, access, 1, 1, 0, 0)
	wide, offset, behind := Padded(N), 12, 8 // numbers of a channel, and around a layer's state
	stride := offset + E*wide + behind
	h, w, bias := r.random(L*stride, 1), r.random(L*E, 2), r.random(L*Pad, 0.5)
	var want []float32
	for l := range L {
		var state []float32
		for e := range E {
			row := h[l*stride+offset+e*wide:][:wide]
			clear(row[N:])
			state = append(state, row[:N]...)
		}
		score := float64(ref.ReadScore(state, w[l*E:(l+1)*E], bias[l*Pad], E, N))
		if threshold < 1 && math.Abs(score-threshold) < 1e-4 { // no score is above 1, however it rounds
			t.Fatalf("E=%d N=%d: the score %g of layer %d is too close to %g to compare", E, N, score, l, threshold)
		}
		want = append(want, math.Float32frombits(map[bool]uint32{true: 1}[score > threshold]))
	}
	weight := r.table(L, E, w)
	biases := r.table(L, Pad, bias)
	reads := r.value("reads", L, 1, make([]float32, L))
	Decide(r.g, r.value("h", L*stride/4, 4, h), stride, offset, N, weight, biases, threshold, reads)
	r.run(graph.Value{})
	if got := r.read("reads"); !slices.Equal(got, want) {
		t.Errorf("E=%d N=%d τ2=%g: reads %v, want %v", E, N, threshold, bits(got), bits(want))
	}
}

// The memory of the paper's model: layers, notes of a pool, numbers of a summary; and the tokens of
// a window, layers of a period that are its defaults here.
const (
	paperL, paperP, paperS = 24, 50, 64
	paperW, paperPeriod    = 64, 4
)

func BenchmarkNote(b *testing.B) {
	const score = 3 * paperS // behind the summary and two queries
	for _, T := range []int{1, paperW} {
		benchmark(b, fmt.Sprintf("%s/S=%d", mode(T), paperS), T, func(r *rig) {
			_, pending := memoryRig(r, paperL, 1, paperW, paperS)
			notes := r.value("notes", T, score+Pad, r.random(T*(score+Pad), 1))
			Note(r.g, notes, score, 0.5, pending, 3)
		})
	}
}

// BenchmarkCommit commits a window of which every second token left a note to full pools. A commit
// empties the window, so that each run begins with a copy of it.
func BenchmarkCommit(b *testing.B) {
	for _, policy := range []string{"fifo", "priority"} {
		for _, size := range [][2]int{{paperW, paperP}, {1, paperP}, {MaxWindow, MaxPool}} {
			W, P := size[0], size[1]
			benchmark(b, fmt.Sprintf("%s/L=%d/W=%d/P=%d", policy, paperL, W, P), 1, func(r *rig) {
				n, pending := memoryRig(r, paperL, P, W, paperS)
				noted := r.random(paperL*W, 1)
				for i, I := range noted {
					noted[i] = max(I, 0)
				}
				full := r.value("window", paperL, W, noted)
				n.Importances = r.value("importance", paperL, P, slices.Repeat([]float32{0.5}, paperL*P))
				r.words("total", slices.Repeat([]uint32{uint32(P)}, paperL))
				r.g.Copy(pending.Importances, full)
				Commit(r.g, pending, n, policy == "priority")
			})
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	const E, N = 1536, 16
	benchmark(b, fmt.Sprintf("L=%d/E=%d/N=%d", paperL, E, N), 1, func(r *rig) {
		w := r.table(paperL, E, r.random(paperL*E, 1))
		bias := r.table(paperL, Pad, r.random(paperL*Pad, 1))
		h := r.value("h", paperL*E*N/4, 4, r.random(paperL*E*N, 1))
		Decide(r.g, h, E*N, 0, N, w, bias, 0.5, r.value("reads", paperL, 1, make([]float32, paperL)))
	})
}

// fullPools fills the pools of the paper's model.
func fullPools(r *rig) Notes {
	n, _ := memoryRig(r, paperL, paperP, 1, paperS)
	n.Importances = r.value("importance", paperL, paperP, slices.Repeat([]float32{0.5}, paperL*paperP))
	var newest []uint32
	for range paperL {
		for _, place := range r.rng.Perm(paperP) {
			newest = append(newest, uint32(place))
		}
	}
	r.words("newest", newest)
	return n
}

func BenchmarkGather(b *testing.B) {
	for _, pooling := range []string{"concat", "mean", "max"} {
		benchmark(b, fmt.Sprintf("%s/L=%d/p=%d/P=%d/S=%d", pooling, paperL, paperPeriod, paperP, paperS), 1, func(r *rig) {
			keys := map[bool]int{true: paperPeriod * paperP, false: paperP}[pooling == "concat"]
			const attending = paperL / paperPeriod
			worth := r.value("worth", attending, keys, make([]float32, attending*keys))
			CrossSources(r.g, fullPools(r), paperPeriod, pooling, worth)
		})
	}
}

func BenchmarkKeys(b *testing.B) {
	for _, size := range [][2]int{{paperL, paperP}, {paperL / paperPeriod, paperPeriod * paperP}} {
		layers, keys := size[0], size[1]
		benchmark(b, fmt.Sprintf("layers=%d/keys=%d/S=%d", layers, keys, paperS), 1, func(r *rig) {
			w := r.table(layers*2*paperS, paperS, r.random(layers*2*paperS*paperS, 0.3))
			s := Sources{
				r.value("summaries", layers*keys, paperS, r.random(layers*keys*paperS, 1)),
				r.value("worth", layers, keys, slices.Repeat([]float32{0.5}, layers*keys)),
			}
			Keys(r.g, s, w, r.value("kv", layers*keys, 2*paperS, make([]float32, layers*keys*2*paperS)))
		})
	}
}

func BenchmarkAttend(b *testing.B) {
	for _, T := range []int{1, paperW, 512} {
		for _, keys := range []int{paperP, paperPeriod * paperP} {
			benchmark(b, fmt.Sprintf("%s/keys=%d/S=%d", mode(T), keys, paperS), T, func(r *rig) {
				a := Attention{
					KV:          r.value("kv", keys, 2*paperS, r.random(keys*2*paperS, 1)),
					Importances: r.value("worth", 1, keys, slices.Repeat([]float32{0.5}, keys)),
					Width:       paperS,
				}
				Attend(r.g, "attend", r.value("q", T, paperS, r.random(T*paperS, 1)), a)
			})
		}
	}
}
