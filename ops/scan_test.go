package ops

import (
	"fmt"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// testScan scans T tokens in so many pieces and compares output and last state.
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
		r.value("z", T, E, z), s, r.value("h", E, N, h), pieces))
	var B, C []float32
	for t := range T {
		row := dbc[t*(R+2*N):]
		B, C = append(B, row[R:R+N]...), append(C, row[R+N:R+2*N]...)
	}
	what := fmt.Sprintf("E=%d N=%d pieces=%d", E, N, pieces)
	near(t, what, y, ref.Gate(ref.Scan(delta, w.A, B, C, w.D, u, h, T, E, N), z))
	near(t, what+" state", r.read("h"), h)
}

func TestScan(t *testing.T) {
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		for _, pieces := range []int{1, 3, 8} {
			for _, shape := range [][2]int{{8, 8}, {24, 16}, {40, 64}} {
				testScan(t, access, T, shape[0], shape[1], pieces)
			}
		}
	})
}

// TestScanLong: the longest chunk, which a device that stops long loops must finish too.
func TestScanLong(t *testing.T) {
	for _, access := range accesses {
		testScan(t, access, 4096, 8, 64, max(1, ScanPieces(device.Info(), 4096, 8)))
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
