package ops

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// testScan scans T tokens in several pieces and compares output and last state.
func testScan(t *testing.T, access graph.Access, T, E, N, pieces int) {
	t.Helper()
	const R = 8
	r := newRig(t, access, T, 1, 0, 0)
	s, w := selective(r, F32, E, N, R)
	delta, dbc, u, z, h := r.random(T*E, 1), r.random(T*(R+2*N), 1), r.random(T*E, 1), r.random(T*E, 2), r.random(E*N, 1)
	for i, d := range delta {
		delta[i] = d * d / 2
	}
	y := r.run(Scan(r.g, r.value("delta", T, E, delta), r.value("dbc", T, R+2*N, dbc), r.value("u", T, E, u),
		r.input(pieces == 3, "z", T, E, z), s, r.value("h", E, N, h), pieces))
	B, C := columns(dbc, R+2*N, R, R+N), columns(dbc, R+2*N, R+N, R+2*N)
	what := fmt.Sprintf("E=%d N=%d pieces=%d", E, N, pieces)
	near(t, what, y, ref.Gate(ref.Scan(delta, w.A, B, C, w.D, u, h, T, E, N), z))
	near(t, what+" state", r.read("h"), h)
}

func TestScan(t *testing.T) {
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		for _, pieces := range []int{1, 3, 8} {
			for _, shape := range [][2]int{{8, 8}, {24, 16}, {40, 64}, {16, 72}, {8, 200}, {8, 256}} {
				testScan(t, access, T, shape[0], shape[1], pieces)
			}
		}
	})
}

// TestScanSplit: 64 tokens are 37 and 27, and 64 times one token, in output and in state.
func TestScanSplit(t *testing.T) {
	const T, E, N, R = 64, 24, 16, 8
	for _, access := range accesses {
		r := newRig(t, access, T, 1, 0, 0)
		delta, dbc, u, z := r.random(T*E, 1), r.random(T*(R+2*N), 1), r.random(T*E, 1), r.random(T*E, 2)
		for i, d := range delta {
			delta[i] = d * d / 2
		}
		var want, last []float32
		for _, lengths := range [][]int{{64}, {37, 27}, slices.Repeat([]int{1}, T)} {
			var y []float32
			h, from := make([]float32, E*N), 0
			for _, n := range lengths {
				part := func(x []float32, width int) []float32 { return x[from*width:][:n*width] }
				r := newRig(t, access, n, 1, 0, 0)
				s, _ := selective(r, F32, E, N, R)
				y = append(y, r.run(Scan(r.g, r.value("delta", n, E, part(delta, E)), r.value("dbc", n, R+2*N, part(dbc, R+2*N)),
					r.value("u", n, E, part(u, E)), r.value("z", n, E, part(z, E)), s, r.value("h", E, N, h), 1+n/10))...)
				h, from = r.read("h"), from+n
			}
			if want == nil {
				want, last = y, h
			}
			near(t, fmt.Sprintf("%v", lengths), y, want)
			near(t, fmt.Sprintf("%v: state", lengths), h, last)
		}
	}
}

// TestShortPass: a program for many tokens run with fewer leaves the state where these left it.
func TestShortPass(t *testing.T) {
	const rows, E, N, R, K = 257, 24, 16, 8, 4
	for _, access := range accesses {
		for _, T := range []int{1, 2, 63, 200} {
			for _, pieces := range []int{1, 8} {
				r := newRig(t, access, T, 1, 0, 0)
				s, w := selective(r, F32, E, N, R)
				delta, dbc, u, z, h := r.random(rows*E, 0.5), r.random(rows*(R+2*N), 1), r.random(rows*E, 1), r.random(rows*E, 2), r.random(E*N, 1)
				for i, d := range delta {
					delta[i] = max(d, -d)
				}
				taps, bias, conv := r.random(E*K, 1), r.random(E, 1), r.random(E*(K-1), 1)
				wide := r.table(K, E, transposed(taps, E, K))
				in := r.value("u", rows, E, u)
				ConvSiLU(r.g, in, Conv{W: wide, Bias: r.vector(bias), State: r.value("conv", K-1, E, transposed(conv, E, K-1))})
				y := r.run(Scan(r.g, r.value("delta", rows, E, delta), r.value("dbc", rows, R+2*N, dbc), in, r.value("z", rows, E, z), s, r.value("h", E, N, h), pieces))

				B, C := columns(dbc, R+2*N, R, R+N), columns(dbc, R+2*N, R+N, R+2*N)
				what := fmt.Sprintf("T=%d pieces=%d", T, pieces)
				near(t, what, y[:T*E], ref.Gate(ref.Scan(delta, w.A, B, C, w.D, u, h, T, E, N), z[:T*E]))
				near(t, what+" state", r.read("h"), h)
				ref.ConvSiLU(u, taps, bias, conv, T, E, K)
				near(t, what+" inputs", r.read("conv"), transposed(conv, E, K-1))
			}
		}
	}
}

// columns returns columns [from, to) of x, whose rows have width numbers.
func columns(x []float32, width, from, to int) []float32 {
	var out []float32
	for row := range slices.Chunk(x, width) {
		out = append(out, row[from:to]...)
	}
	return out
}

// TestScanLong: the longest chunk, which a device that stops long loops must finish too.
func TestScanLong(t *testing.T) {
	for _, access := range accesses {
		testScan(t, access, 4096, 8, 64, ScanPieces(graph.NewAccess(device, access), 4096, 8))
	}
}

func BenchmarkScan(b *testing.B) {
	const E, N, R = 1536, 16, 48
	for _, T := range []int{512, 4096} {
		for _, pieces := range []int{1, 8} { // what a software device takes, and much like what a GPU does
			benchmark(b, fmt.Sprintf("%s/E=%d/N=%d/pieces=%d", mode(T), E, N, pieces), T, func(r *rig) {
				s, _ := selective(r, F32, E, N, R)
				delta := r.random(T*E, 1)
				for i, d := range delta {
					delta[i] = d * d / 2
				}
				u, z := r.value("u", T, E, r.random(T*E, 1)), r.value("z", T, E, r.random(T*E, 1))
				dbc, h := r.value("dbc", T, R+2*N, r.random(T*(R+2*N), 1)), r.value("h", E, N, r.random(E*N, 1))
				Scan(r.g, r.value("delta", T, E, delta), dbc, u, z, s, h, pieces)
			})
		}
	}
}
