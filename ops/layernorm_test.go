package ops

import (
	"fmt"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// padRows widens rows of count numbers with zeros.
func padRows(rows []float32, count int) []float32 {
	wide := make([]float32, 0, len(rows)/count*Padded(count))
	for at := 0; at < len(rows); at += count {
		wide = append(append(wide, rows[at:at+count]...), make([]float32, Padded(count)-count)...)
	}
	return wide
}

func TestLayerNorm(t *testing.T) {
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		for _, d := range []int{1, 8, 30, 136} {
			what := fmt.Sprintf("d=%d", d)
			r := newRig(t, access, T, 1, 0, 0)
			x, weight, bias := r.random(T*d, 2), r.random(d, 1), r.random(d, 1)
			for i := range x {
				x[i] += 3 // a mean that counts
			}
			want := padRows(ref.LayerNorm(x, weight, bias, 1e-5, T, d), d)
			n := func(r *rig) Norm {
				return Norm{Weight: r.vector(padRows(weight, d)), Bias: r.vector(padRows(bias, d)), Width: d, Eps: 1e-5}
			}
			near(t, what, r.run(Normalize(r.g, r.value("x", T, Padded(d), padRows(x, d)), n(r))), want)

			r = newRig(t, access, T, 1, 0, 0)
			last := r.run(NormalizeLast(r.g, r.value("x", T, Padded(d), padRows(x, d)), n(r), 1))
			near(t, what+" last", last, want[(T-1)*Padded(d):])
		}
	})
}

// TestLayerNormInPart leaves alone what a pass of fewer tokens has no row for.
func TestLayerNormInPart(t *testing.T) {
	const d, rows, tokens = 24, 20, 11
	for _, access := range accesses {
		r := newRig(t, access, tokens, 1, 0, 0)
		x, weight, bias := r.random(rows*d, 2), r.random(d, 1), r.random(d, 1)
		n := Norm{Weight: r.vector(weight), Bias: r.vector(bias), Width: d, Eps: 1e-5}
		got := r.run(Normalize(r.g, r.value("x", rows, d, x), n))
		near(t, string(access), got[:tokens*d], ref.LayerNorm(x, weight, bias, 1e-5, tokens, d))
		near(t, string(access)+" behind", got[tokens*d:], make([]float32, (rows-tokens)*d))
	}
}

func BenchmarkLayerNorm(b *testing.B) {
	const d = 768
	for _, T := range []int{1, 512} {
		benchmark(b, fmt.Sprintf("%s/d=%d", mode(T), d), T, func(r *rig) {
			n := Norm{Weight: r.vector(r.random(d, 1)), Bias: r.vector(r.random(d, 1)), Width: d, Eps: 1e-5}
			Normalize(r.g, r.value("x", T, d, r.random(T*d, 1)), n)
		})
	}
}
