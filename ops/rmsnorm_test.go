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

// TestGroupNorm norms groups that begin with whole vectors and such that do not, before products of any number
// of tokens.
func TestGroupNorm(t *testing.T) {
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		for _, shape := range [][2]int{{64, 2}, {24, 3}, {15, 3}, {14, 2}, {136, 8}, {7, 7}} {
			E, groups := shape[0], shape[1]
			r := newRig(t, access, T, 1, 0, 0)
			x, w := r.random(T*E, 2), r.random(E, 1)
			n := Norm{Weight: r.vector(sections(w, E)), Width: E, Eps: 1e-5, Groups: groups}
			want := ref.GroupNorm(x, w, 1e-5, T, E, groups)
			near(t, fmt.Sprint(shape), r.run(Normalize(r.g, r.value("x", T, Padded(E), sections(x, E)), n)), sections(want, E))

			r = newRig(t, access, T, 1, 0, 0)
			n.Weight = r.vector(sections(w, E))
			m, wide := r.matrix(F32, 8, Padded(E), r.random(8*Padded(E), 1))
			got := r.run(NormLinear(r.g, "out_proj", r.value("x", T, Padded(E), sections(x, E)), n, m, Finish{Alone: T < 65}))
			near(t, fmt.Sprint(shape, " product"), got, ref.Linear(sections(want, E), wide, nil, T, Padded(E), 8))
		}
	})
}

func BenchmarkGroupNorm(b *testing.B) {
	const E, groups = 4096, 8
	for _, T := range []int{1, 512} {
		benchmark(b, fmt.Sprintf("%s/E=%d/G=%d", mode(T), E, groups), T, func(r *rig) {
			n := Norm{Weight: r.vector(r.random(E, 1)), Width: E, Eps: 1e-5, Groups: groups}
			Normalize(r.g, r.value("x", T, E, r.random(T*E, 1)), n)
		})
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
