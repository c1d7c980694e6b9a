package ops

import (
	"fmt"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// transposed turns (rows, cols) into (cols, rows).
func transposed(x []float32, rows, cols int) []float32 {
	y := make([]float32, len(x))
	for i := range rows {
		for j := range cols {
			y[j*rows+i] = x[i*cols+j]
		}
	}
	return y
}

func TestConvSiLU(t *testing.T) {
	const E = 24
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		for _, K := range []int{2, 3, 4, 8} {
			r := newRig(t, access, T, 1, 0, 0)
			u, w, bias, state := r.random(T*E, 1), r.random(E*K, 1), r.random(E, 1), r.random(E*(K-1), 1)
			taps := r.table(K, E, transposed(w, E, K))
			s := r.value("state", K-1, E, transposed(state, E, K-1))
			y := r.run(ConvSiLU(r.g, r.input(K%2 == 0, "u", T, E, u), taps, r.vector(bias), s))
			near(t, "y", y, ref.ConvSiLU(u, w, bias, state, T, E, K))
			near(t, "state", r.read("state"), transposed(state, E, K-1))
		}
	})
}

// TestConvSequences: one token of several sequences changes their rows of the state and no other.
func TestConvSequences(t *testing.T) {
	for _, access := range accesses {
		for _, rows := range sequenceRows {
			t.Run(fmt.Sprintf("%s/B=%d", access, len(rows)), func(t *testing.T) { testConvSequences(t, access, rows) })
		}
	}
}

func testConvSequences(t *testing.T, access graph.Access, of []int) {
	const E, rows = 24, MaxSequences
	B := len(of)
	for _, K := range []int{2, 4, 16} {
		r := newRigOf(t, access, 1, of, make([]int, B))
		u, w, bias, states := r.random(B*E, 1), r.random(E*K, 1), r.random(E, 1), r.random(rows*(K-1)*E, 1)
		taps := r.table(K, E, transposed(w, E, K))
		s := r.value("state", rows*(K-1), E, states)
		y := r.run(ConvSiLU(r.g, r.value("u", B, E, u), taps, r.vector(bias), s))
		var want []float32
		for b := range B {
			own := states[of[b]*(K-1)*E:][:(K-1)*E]
			state := transposed(own, K-1, E)
			want = append(want, ref.ConvSiLU(u[b*E:(b+1)*E], w, bias, state, 1, E, K)...)
			copy(own, transposed(state, E, K-1))
		}
		near(t, "y", y, want)
		near(t, "state", r.read("state"), states)
	}
}

// TestConvSplit: 64 tokens are 37 and 27.
func TestConvSplit(t *testing.T) {
	const E, K = 16, 4
	for _, access := range accesses {
		r := newRig(t, access, 64, 1, 0, 0)
		u, w, bias, state := r.random(64*E, 1), r.random(E*K, 1), r.random(E, 1), make([]float32, E*(K-1))
		want := ref.ConvSiLU(u, w, bias, state, 64, E, K)
		carried, from := make([]float32, E*(K-1)), 0
		for _, n := range []int{37, 27} {
			r := newRig(t, access, n, 1, 0, 0)
			taps := r.table(K, E, transposed(w, E, K))
			s := r.value("state", K-1, E, carried)
			y := r.run(ConvSiLU(r.g, r.value("u", n, E, u[from*E:(from+n)*E]), taps, r.vector(bias), s))
			near(t, "y", y, want[from*E:(from+n)*E])
			carried, from = r.read("state"), from+n
		}
	}
}

func BenchmarkConvSiLU(b *testing.B) {
	const E, K = 1536, 4
	for _, T := range []int{1, 512} {
		benchmark(b, fmt.Sprintf("%s/E=%d/K=%d", mode(T), E, K), T, func(r *rig) {
			taps := r.table(K, E, r.random(K*E, 1))
			bias, state := r.vector(r.random(E, 1)), r.value("state", K-1, E, r.random((K-1)*E, 1))
			ConvSiLU(r.g, r.value("u", T, E, r.random(T*E, 1)), taps, bias, state)
		})
	}
}
