package ops

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// selective makes the weights of a state space of any shape, for the device and for the reference.
func selective(r *rig, kind Type, E, N, R int) (Selective, ref.SSMWeights) {
	w, wide := r.matrix(kind, E, R, r.random(E*R, 0.5))
	A, D, bias := r.random(E*N, 2), r.random(E, 1), r.random(E, 1)
	for i, a := range A {
		A[i] = -float32(math.Exp(float64(a)))
	}
	a := r.table(E, N, A)
	return Selective{DtProj: w, DtBias: r.vector(bias), A: a, D: r.vector(D)},
		ref.SSMWeights{DtWeight: wide, DtBias: bias, A: A, D: D}
}

func TestSSM(t *testing.T) {
	for _, access := range accesses {
		for _, kind := range matrices {
			for i, rows := range sequenceRows {
				if !some(kind, i) {
					continue
				}
				for _, shape := range [][3]int{{8, 8, 8}, {24, 16, 8}, {72, 64, 48}, {16, 72, 8}, {8, 256, 16}} {
					E, N, R := shape[0], shape[1], shape[2]
					t.Run(fmt.Sprintf("%s/%s/B=%d/E=%d/N=%d/R=%d", access, kind, len(rows), E, N, R), func(t *testing.T) {
						testSSM(t, access, kind, rows, E, N, R)
					})
				}
			}
		}
	}
}

// testSSM advances B sequences, whose states lie among others, by a token.
func testSSM(t *testing.T, access graph.Access, kind Type, rows []int, E, N, R int) {
	B, most := len(rows), slices.Max(rows)+2
	r := newRigOf(t, access, 1, rows, make([]int, B))
	s, w := selective(r, kind, E, N, R)
	dbc, u, z, h := r.random(B*(R+2*N), 1), r.random(B*E, 1), r.random(B*E, 2), r.random(most*E*N, 1)
	state := r.value("h", most*E, N, h)
	y := r.run(SSM(r.g, r.value("dbc", B, R+2*N, dbc), r.input(B%2 == 0, "u", B, E, u), r.input(B > 1, "z", B, E, z), s, state))
	var want []float32
	for b := range B {
		own := h[rows[b]*E*N:][:E*N]
		want = append(want, ref.SSM(w, dbc[b*(R+2*N):], u[b*E:], z[b*E:(b+1)*E], own, 1, E, N, R)...)
	}
	near(t, "y", y, want)
	near(t, "state", r.read("h"), h)
}

func TestSegmentNorm(t *testing.T) {
	sweep(t, func(t *testing.T, _ graph.Access, T int) {
		for _, shape := range [][2]int{{8, 16}, {3, 5}, {48, 64}, {256, 16}} {
			R, N := shape[0], shape[1]
			high, wide := Padded(R), Padded(N)
			r := newRig(t, graph.Buffer, T, 1, 0, 0)
			dbc, want := r.random(T*(high+2*wide), 1), []float32(nil)
			for i := range T {
				row := dbc[i*(high+2*wide):]
				for _, segment := range [][3]int{{0, R, high}, {high, N, wide}, {high + wide, N, wide}} {
					part := row[segment[0]:][:segment[2]]
					clear(part[segment[1]:])
					want = append(want, ref.RMSNorm(part[:segment[1]], nil, 1e-6, 1, segment[1])...)
					want = append(want, part[segment[1]:]...)
				}
			}
			s, _ := selective(r, F32, 8, wide, high)
			SegmentNorm(r.g, r.value("dbc", T, high+2*wide, dbc), s, R, N, 1e-6)
			r.run(graph.Value{})
			near(t, fmt.Sprintf("R=%d N=%d", R, N), r.read("dbc"), want)
		}
	})
}

func BenchmarkSSM(b *testing.B) {
	const E, N, R = 1536, 16, 48
	for _, kind := range matrices {
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
