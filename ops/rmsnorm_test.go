package ops

import (
	"fmt"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

func TestRMSNorm(t *testing.T) {
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		for _, d := range []int{8, 64, 136} {
			r := newRig(t, access, T, 1, 0, 0)
			x, w := r.random(T*d, 2), r.random(d, 1)
			want := ref.RMSNorm(x, w, 1e-5, T, d)
			n := Norm{Weight: r.vector(w), Width: d, Eps: 1e-5}
			near(t, "all", r.run(RMSNorm(r.g, r.value("x", T, d, x), n)), want)

			r = newRig(t, access, T, 1, 0, 0)
			n.Weight = r.vector(w)
			near(t, "last", r.run(RMSNormLast(r.g, r.value("x", T, d, x), n, 1)), want[(T-1)*d:])
		}
	})
}

// TestRMSNormLast finds the rows of the last tokens where sequences have one each, and one has fewer
// than the program is for.
func TestRMSNormLast(t *testing.T) {
	const d, rows = 24, 8
	for _, access := range accesses {
		for _, size := range [][2]int{{1, 5}, {1, 8}, {5, 1}} {
			tokens, sequences := size[0], size[1]
			r := newRig(t, access, tokens, sequences, 0, 0)
			x, w := r.random(rows*d, 2), r.random(d, 1)
			n := Norm{Weight: r.vector(w), Width: d, Eps: 1e-5}
			got := r.run(RMSNormLast(r.g, r.value("x", rows, d, x), n, sequences))
			want := ref.RMSNorm(x, w, 1e-5, rows, d)[(tokens-1)*d:][:sequences*d]
			near(t, fmt.Sprintf("%d tokens of %d sequences", tokens, sequences), got, want)
		}
	}
}

func BenchmarkRMSNorm(b *testing.B) {
	const d = 768
	for _, T := range []int{1, 512} {
		benchmark(b, fmt.Sprintf("%s/d=%d", mode(T), d), T, func(r *rig) {
			n := Norm{Weight: r.vector(r.random(d, 1)), Width: d, Eps: 1e-5}
			RMSNorm(r.g, r.value("x", T, d, r.random(T*d, 1)), n)
		})
	}
}
