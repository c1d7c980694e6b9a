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

func BenchmarkRMSNorm(b *testing.B) {
	const d = 768
	for _, T := range []int{1, 512} {
		benchmark(b, fmt.Sprintf("%s/d=%d", mode(T), d), T, func(r *rig) {
			n := Norm{Weight: r.vector(r.random(d, 1)), Width: d, Eps: 1e-5}
			RMSNorm(r.g, r.value("x", T, d, r.random(T*d, 1)), n)
		})
	}
}
