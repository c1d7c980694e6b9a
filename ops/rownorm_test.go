package ops

import (
	"fmt"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// TestRowNorm compares rows whose padding must not count, of sizes from tiny to large.
func TestRowNorm(t *testing.T) {
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		for _, count := range []int{1, 3, 8, 129, 1021} {
			for _, size := range []float64{1e-3, 1, 1e4} {
				r := newRig(t, access, T, 1, 0, 0)
				x := r.random(T*count, size)
				padded := make([]float32, T*Padded(count))
				for i := range T {
					row := padded[i*Padded(count) : (i+1)*Padded(count)]
					for j := copy(row, x[i*count:(i+1)*count]); j < len(row); j++ {
						row[j] = float32(3 * size)
					}
				}
				got := r.run(RowNorm(r.g, r.value("x", T, Padded(count), padded), count))
				near(t, fmt.Sprintf("%d numbers up to %g", count, size), got[:T], ref.RowNorm(x, T, count))
			}
		}
	})
}

// TestRowNormOfSomeRows: rows beyond the pass's tokens stay as they are.
func TestRowNormOfSomeRows(t *testing.T) {
	r := newRig(t, graph.New(device).Access(), 2, 1, 0, 0)
	y := r.value("y", 1, 8, []float32{7, 7, 7, 7, 7, 7, 7, 7})
	x := r.value("x", 5, 8, make([]float32, 40))
	r.g.Call("rownorm", graph.Kernel{Shader: "rownorm", Spec: nllSpec{nllLanes(r.g, 8)}}, []graph.Value{params(r.g), x, y},
		rowNormPush{2, 8}, [3]int{5, 1, 1}, graph.Cost{})
	r.run(graph.Value{})
	near(t, "rows", r.read("y"), []float32{0, 0, 7, 7, 7, 7, 7, 7})
}

func TestRowNormRefuses(t *testing.T) {
	for _, count := range []int{0, 9} {
		g := graph.New(device)
		RowNorm(g, g.Temp(2, 8), count)
		if g.Err() == nil {
			t.Errorf("%d of 8 numbers were taken", count)
		}
	}
}

func BenchmarkRowNorm(b *testing.B) {
	benchmark(b, "T=512/E=352", 512, func(r *rig) {
		RowNorm(r.g, r.value("x", 512, 352, r.random(512*352, 1)), 352)
	})
}
