package ops

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

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
			Keys(r.g, Sources{Summaries: r.value("summaries", P, S, summaries), Importances: importances}, w, kv)
			y := r.run(Attend(r.g, "attend", r.value("x", T, S, x), Attention{KV: kv, Importances: importances, Keys: P, Window: T, Width: S}))
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
	states := Layered{r.value("h", L*stride/4, 4, h), offset, stride, 0, 1}
	Decide(r.g, states, 1, N, r.table(L, E, w), r.table(L, Pad, bias), threshold, r.value("reads", L, 1, make([]float32, L)))
	// Every third layer by itself, with the weights it has among all.
	const period = 3
	var some, weights, biases []float32
	for l := period - 1; l < L; l += period {
		some = append(some, want[l])
		weights, biases = append(weights, w[l*E:(l+1)*E]...), append(biases, bias[l*Pad:(l+1)*Pad]...)
	}
	Decide(r.g, states.Every(period), 1, N, r.table(L/period, E, weights), r.table(L/period, Pad, biases), threshold, r.value("some", L/period, 1, make([]float32, L/period)))
	r.run(graph.Value{})
	if got := r.read("reads"); !slices.Equal(got, want) {
		t.Errorf("E=%d N=%d τ2=%g: reads %v, want %v", E, N, threshold, bits(got), bits(want))
	}
	if got := r.read("some"); !slices.Equal(got, some) {
		t.Errorf("E=%d N=%d τ3=%g: every third reads %v, want %v", E, N, threshold, bits(got), bits(some))
	}
}

// The memory of the paper's model: layers, notes of a pool, numbers of a summary; and the tokens of
// a window, layers of a period that are its defaults here.
const (
	paperL, paperP, paperS = 24, 50, 64
	paperW, paperPeriod    = 64, 4
)

func BenchmarkDecide(b *testing.B) {
	const E, N = 1536, 16
	benchmark(b, fmt.Sprintf("L=%d/E=%d/N=%d", paperL, E, N), 1, func(r *rig) {
		w := r.table(paperL, E, r.random(paperL*E, 1))
		bias := r.table(paperL, Pad, r.random(paperL*Pad, 1))
		h := r.value("h", paperL*E*N/4, 4, r.random(paperL*E*N, 1))
		Decide(r.g, Layered{h, 0, E * N, 0, 1}, 1, N, w, bias, 0.5, r.value("reads", paperL, 1, make([]float32, paperL)))
	})
}

func BenchmarkGather(b *testing.B) {
	for _, pooling := range []string{"concat", "mean", "max"} {
		benchmark(b, fmt.Sprintf("%s/L=%d/p=%d/P=%d/S=%d", pooling, paperL, paperPeriod, paperP, paperS), 1, func(r *rig) {
			keys := map[bool]int{true: paperPeriod * paperP, false: paperP}[pooling == "concat"]
			const attending = paperL / paperPeriod
			worth := r.value("worth", attending*keys, 1, make([]float32, attending*keys))
			n, _ := memoryRig(r, paperL, paperP, 1, paperS)
			n.Importances = r.value("importance", paperL, paperP, slices.Repeat([]float32{0.5}, paperL*paperP))
			CrossSources(r.g, n, 1, paperPeriod, pooling, worth)
		})
	}
}

func BenchmarkKeys(b *testing.B) {
	for _, size := range [][2]int{{paperL, paperP}, {paperL / paperPeriod, paperPeriod * paperP}} {
		layers, keys := size[0], size[1]
		benchmark(b, fmt.Sprintf("layers=%d/keys=%d/S=%d", layers, keys, paperS), 1, func(r *rig) {
			w := r.table(layers*2*paperS, paperS, r.random(layers*2*paperS*paperS, 0.3))
			s := Sources{
				Summaries:   r.value("summaries", layers*keys, paperS, r.random(layers*keys*paperS, 1)),
				Importances: r.value("worth", layers, keys, slices.Repeat([]float32{0.5}, layers*keys)),
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
					Keys:        keys, Window: T, Width: paperS,
				}
				Attend(r.g, "attend", r.value("q", T, paperS, r.random(T*paperS, 1)), a)
			})
		}
	}
}
