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

// inputs is the state of a convolution, none where it has no rows.
func (r *rig) inputs(rows, E int, numbers []float32) graph.Value {
	if rows == 0 {
		return graph.Value{}
	}
	return r.value("state", rows, E, numbers)
}

// nearInputs compares what inputs made.
func (r *rig) nearInputs(want []float32) {
	r.t.Helper()
	if len(want) > 0 {
		near(r.t, "state", r.read("state"), want)
	}
}

func TestConvSiLU(t *testing.T) {
	const E = 24
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		for _, K := range []int{1, 2, 3, 4, 8, 16} {
			r := newRig(t, access, T, 1, 0, 0)
			u, w, bias, state := r.random(T*E, 1), r.random(E*K, 1), r.random(E, 1), r.random(E*(K-1), 1)
			taps := r.table(K, E, transposed(w, E, K))
			s := r.inputs(K-1, E, transposed(state, E, K-1))
			y := r.run(ConvSiLU(r.g, r.input(K%2 == 0, "u", T, E, u), Conv{W: taps, Bias: r.vector(bias), State: s}))
			near(t, "y", y, ref.ConvSiLU(u, w, bias, state, T, E, K))
			r.nearInputs(transposed(state, E, K-1))
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
	for _, K := range []int{1, 2, 4, 16} {
		r := newRigOf(t, access, 1, of, make([]int, B))
		u, w, bias, states := r.random(B*E, 1), r.random(E*K, 1), r.random(E, 1), r.random(rows*(K-1)*E, 1)
		taps := r.table(K, E, transposed(w, E, K))
		s := r.inputs(rows*(K-1), E, states)
		y := r.run(ConvSiLU(r.g, r.value("u", B, E, u), Conv{W: taps, Bias: r.vector(bias), State: s}))
		var want []float32
		for b := range B {
			own := states[of[b]*(K-1)*E:][:(K-1)*E]
			state := transposed(own, K-1, E)
			want = append(want, ref.ConvSiLU(u[b*E:(b+1)*E], w, bias, state, 1, E, K)...)
			copy(own, transposed(state, E, K-1))
		}
		near(t, "y", y, want)
		r.nearInputs(states)
	}
}

func TestLinearConvSiLU(t *testing.T) {
	for _, access := range accesses {
		for _, kind := range matrices {
			for i, rows := range sequenceRows {
				if !some(kind, i) {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s/B=%d", access, kind, len(rows)), func(t *testing.T) {
					testLinearConv(t, access, kind, rows, []int{4, 2, 3, 8, 4}[i], 0, i%2 == 0, i%3 == 0)
					testLinearConv(t, access, kind, rows, []int{1, 16, 4, 1, 2}[i], []int{24, 16, 8, 24, 16}[i], i%2 == 1, i%3 == 0)
				})
			}
		}
	}
}

// testLinearConv takes a token of B sequences, whose states lie among others, through in_proj and
// the convolution of rows from one on.
func testLinearConv(t *testing.T, access graph.Access, kind Type, of []int, K, from int, biased, normed bool) {
	const d, M, E, rows = 40, 48, 24, MaxSequences
	B := len(of)
	r := newRigOf(t, access, 1, of, make([]int, B))
	x, bias, norm := r.random(B*d, 1), r.random(M, 1), r.random(d, 1)
	taps, tapBias, states := r.random(E*K, 1), r.random(E, 1), r.random(rows*(K-1)*E, 1)
	w, wide := r.matrix(kind, M, d, r.random(M*d, 0.3))
	c := Conv{W: r.table(K, E, transposed(taps, E, K)), Bias: r.vector(tapBias), State: r.inputs(rows*(K-1), E, states), From: from}
	input, n, onDevice := r.input(B%2 == 0, "x", B, d, x), Norm{}, Weight{}
	if normed {
		n = Norm{Weight: r.vector(norm), Width: d, Eps: 1e-5}
		x = ref.RMSNorm(x, norm, 1e-5, B, d)
	}
	if biased {
		onDevice = r.vector(bias)
	} else {
		bias = nil
	}
	y := r.run(LinearConvSiLU(r.g, "in_proj", input, n, w, onDevice, c))
	want := ref.Linear(x, wide, bias, B, d, M)
	for b := range B {
		u, own := want[b*M+from:][:E], states[of[b]*(K-1)*E:][:(K-1)*E]
		state := transposed(own, K-1, E)
		copy(u, ref.ConvSiLU(u, taps, tapBias, state, 1, E, K))
		copy(own, transposed(state, E, K-1))
	}
	near(t, fmt.Sprintf("K=%d from=%d", K, from), y, want)
	r.nearInputs(states)
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
			y := r.run(ConvSiLU(r.g, r.value("u", n, E, u[from*E:(from+n)*E]), Conv{W: taps, Bias: r.vector(bias), State: s}))
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
			ConvSiLU(r.g, r.value("u", T, E, r.random(T*E, 1)), Conv{W: taps, Bias: bias, State: state})
		})
	}
}

func BenchmarkLinearConvSiLU(b *testing.B) {
	const E, K, d = 1536, 4, 768
	for _, kind := range matrices {
		benchmark(b, fmt.Sprintf("mode=decode/type=%s/d=%d/E=%d/K=%d", kind, d, E, K), 1, func(r *rig) {
			w, _ := r.matrix(kind, 2*E, d, r.random(2*E*d, 1))
			c := Conv{W: r.table(K, E, r.random(K*E, 1)), Bias: r.vector(r.random(E, 1)), State: r.value("state", K-1, E, r.random((K-1)*E, 1))}
			LinearConvSiLU(r.g, "in_proj", r.value("x", 1, d, r.random(d, 1)), Norm{}, w, Weight{}, c)
		})
	}
}
