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
	const L, W, S = 3, 24, 8
	for _, policy := range []string{"fifo", "priority"} {
		for _, P := range []int{1, 7, 50, 256} {
			t.Run(fmt.Sprintf("%s/P=%d", policy, P), func(t *testing.T) {
				r := newRig(t, graph.Buffer, 1, 1, 0, 0)
				n, pending := memoryRig(r, L, P, W, S)
				pools, params := make([][]ref.Note, L), make([]uint32, ParamsBytes/4)
				for window := range 14 {
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
					}
				}
			})
		}
	}
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
			r := newRig(t, access, T, 1, 0, 0)
			x, k, v := r.random(T*S, 1), r.random(S*S, 0.3), r.random(S*S, 0.3)
			summaries, worth := r.random(P*S, 1), r.random(P, 1)
			for i, I := range worth {
				worth[i] = I*I + 1e-3
			}
			w, _ := r.weight(F32, 2*S, S, append(slices.Clone(k), v...))
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

// TestDecide compares the read decisions on either side of the threshold.
func TestDecide(t *testing.T) {
	const L, E, N = 6, 24, 16
	for _, access := range accesses {
		r := newRig(t, access, 1, 1, 0, 0)
		h, w, bias := r.random(L*E*N, 1), r.random(L*E, 2), make([]float32, L*Pad)
		var want []float32
		for l := range L {
			score := ref.ReadScore(h[l*E*N:(l+1)*E*N], w[l*E:(l+1)*E], 0, E, N)
			want = append(want, math.Float32frombits(map[bool]uint32{true: 1}[score > 0.5]))
		}
		weight, _ := r.weight(F32, L, E, w)
		zeros, _ := r.weight(F32, L, Pad, bias)
		reads := r.value("reads", L, 1, make([]float32, L))
		Decide(r.g, r.value("h", L*E*N/4, 4, h), E*N, 0, N, weight, zeros, 0.5, reads)
		r.run(graph.Value{})
		if got := r.read("reads"); !slices.Equal(got, want) {
			t.Errorf("reads %v, want %v", got, want)
		}
	}
}
