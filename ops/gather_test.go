package ops

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// ragged fills the last places of the pools of L layers with none, some or P notes and returns them,
// oldest first.
func ragged(r *rig, L, P, S int) (n Notes, pools [][]ref.Note) {
	n, _ = memoryRig(r, L, P, 1, S)
	summaries, importances := r.random(L*P*S, 1), make([]float32, L*P)
	for l := range L {
		count, pool := []int{P, 0, 1, P / 2, P - 1, 1 + r.rng.IntN(P)}[(l+P)%6], []ref.Note(nil)
		for j := range count {
			i := (l+1)*P - count + j
			importances[i] = float32(1+r.rng.IntN(8)) / 8
			pool = append(pool, ref.Note{Position: int64(j), Importance: importances[i], Summary: summaries[i*S : (i+1)*S]})
		}
		pools = append(pools, pool)
	}
	n.Summaries, n.Importances = r.value("pool", L*P, S, summaries), r.value("importance", L, P, importances)
	return n, pools
}

// TestGather holds the sources of every attending layer to the reference, with pools of any fill.
func TestGather(t *testing.T) {
	for _, pooling := range []string{"concat", "mean", "max"} {
		for _, P := range []int{1, 2, 50, 256} {
			for _, S := range []int{8, 64, 256} {
				for _, period := range []int{1, 4} {
					t.Run(fmt.Sprintf("%s/P=%d/S=%d/p=%d", pooling, P, S, period), func(t *testing.T) {
						testGather(t, pooling, P, S, period)
					})
				}
			}
		}
	}
}

func testGather(t *testing.T, pooling string, P, S, period int) {
	r := newRig(t, graph.Buffer, 1, 1, 0, 0)
	L := 2*period + 1 // two layers attend, or three; with a period of 4 the last does not
	n, pools := ragged(r, L, P, S)
	attending, keys := L/period, P
	if pooling == "concat" {
		keys = period * P
	}
	worth := r.value("worth", attending*keys, 1, slices.Repeat([]float32{-1}, attending*keys))
	got := r.run(CrossSources(r.g, n, 1, period, pooling, worth).Summaries)
	worths := r.read("worth")
	for a := range attending {
		layer := (a+1)*period - 1
		first := max(0, layer-period)
		summaries, importances := ref.CrossGather(pools[first:layer], pooling)
		if pooling == "concat" {
			summaries, importances = atPlaces(pools, layer-period, layer, P, S)
		}
		// Behind the reference's notes, keys are worth nothing, and their summaries are not looked at.
		own, mine := worths[a*keys:(a+1)*keys], got[a*keys*S:]
		near(t, "importances", own, append(importances, make([]float32, keys-len(importances))...))
		for key, I := range own {
			if I > 0 {
				near(t, fmt.Sprintf("layer %d, key %d", layer, key), mine[key*S:(key+1)*S], summaries[key*S:(key+1)*S])
			}
		}
	}
}

// atPlaces is the reference's concatenation of the pools of layers [first, last) with every note at
// its place on the device.
func atPlaces(pools [][]ref.Note, first, last, P, S int) (summaries, importances []float32) {
	summaries, importances = make([]float32, (last-first)*P*S), make([]float32, (last-first)*P)
	for l := max(first, 0); l < last; l++ {
		s, i := ref.CrossGather(pools[l:l+1], ref.Concat)
		key := (l-first+1)*P - len(i)
		copy(importances[key:], i)
		copy(summaries[key*S:], s)
	}
	return summaries, importances
}

// TestGatherRefuses names what does not fit.
func TestGatherRefuses(t *testing.T) {
	for pooling, want := range map[string]string{
		"sum":    `gather: pooling "sum" is not known`,
		"concat": "gather: shapes [4 1] and [2 4] do not go together",
	} {
		r := newRig(t, graph.Buffer, 1, 1, 0, 0)
		n, _ := ragged(r, 4, 2, 8)
		CrossSources(r.g, n, 1, 2, pooling, r.value("worth", 4, 1, make([]float32, 4)))
		if _, err := r.g.Plan(); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %q", pooling, err, want)
		}
	}
}
