package ops

import (
	"fmt"
	"math"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// selective makes the weights of a state space of any shape, for the device and for the reference.
func selective(r *rig, kind Type, E, N, R int) (Selective, ref.SSMWeights) {
	w, wide := r.weight(kind, E, R, r.random(E*R, 0.5))
	A, D, bias := r.random(E*N, 2), r.random(E, 1), r.random(E, 1)
	for i, a := range A {
		A[i] = -float32(math.Exp(float64(a)))
	}
	a, _ := r.weight(F32, E, N, A)
	return Selective{DtProj: w, DtBias: r.vector(bias), A: a, D: r.vector(D)},
		ref.SSMWeights{DtWeight: wide, DtBias: bias, A: A, D: D}
}

func TestSSM(t *testing.T) {
	for _, access := range accesses {
		for _, kind := range types {
			for _, shape := range [][3]int{{8, 8, 8}, {24, 16, 8}, {72, 64, 48}} {
				E, N, R := shape[0], shape[1], shape[2]
				t.Run(fmt.Sprintf("%s/%s/E=%d/N=%d/R=%d", access, kind, E, N, R), func(t *testing.T) {
					r := newRig(t, access, 1, 1, 1, 0) // the second row of the state
					s, w := selective(r, kind, E, N, R)
					dbc, u, z, h := r.random(R+2*N, 1), r.random(E, 1), r.random(E, 2), r.random(2*E*N, 1)
					first := append([]float32(nil), h[:E*N]...)
					state := r.value("h", 2*E, N, h)
					y := r.run(SSM(r.g, r.value("dbc", 1, R+2*N, dbc), r.value("u", 1, E, u), r.value("z", 1, E, z), s, state))
					near(t, "y", y, ref.SSM(w, dbc, u, z, h[E*N:], 1, E, N, R))
					near(t, "state", r.read("h"), append(first, h[E*N:]...))
				})
			}
		}
	}
}

func TestSegmentNorm(t *testing.T) {
	const T, R, N = 5, 8, 16
	r := newRig(t, graph.Buffer, T, 1, 0, 0)
	dbc := r.random(T*(R+2*N), 1)
	s, _ := selective(r, F32, 8, N, R)
	SegmentNorm(r.g, r.value("dbc", T, R+2*N, dbc), s, R, N, 1e-6)
	r.run(graph.Value{})
	var want []float32
	for t := range T {
		row := dbc[t*(R+2*N):]
		want = append(want, ref.RMSNorm(row[:R], nil, 1e-6, 1, R)...)
		want = append(want, ref.RMSNorm(row[R:R+2*N], nil, 1e-6, 2, N)...)
	}
	near(t, "dbc", r.read("dbc"), want)
}

func BenchmarkSSM(b *testing.B) {
	const E, N, R = 1536, 16, 48
	for _, kind := range types {
		benchmark(b, fmt.Sprintf("mode=decode/type=%s/E=%d/N=%d", kind, E, N), 1, func(r *rig) {
			s, _ := selective(r, kind, E, N, R)
			dbc, h := r.value("dbc", 1, R+2*N, r.random(R+2*N, 1)), r.value("h", E, N, r.random(E*N, 1))
			SSM(r.g, dbc, r.value("u", 1, E, r.random(E, 1)), r.value("z", 1, E, r.random(E, 1)), s, h)
		})
	}
}

func BenchmarkSegmentNorm(b *testing.B) {
	const N, R = 16, 256 // of falcon-mamba-7b
	for _, T := range []int{1, 512} {
		benchmark(b, fmt.Sprintf("%s/R=%d/N=%d", mode(T), R, N), T, func(r *rig) {
			s, _ := selective(r, F32, 8, N, R)
			SegmentNorm(r.g, r.value("dbc", T, R+2*N, r.random(T*(R+2*N), 1)), s, R, N, 1e-6)
		})
	}
}
