package ops

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

func TestLinear(t *testing.T) {
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		for _, kind := range matrices {
			shapes := [][2]int{{8, 8}, {72, 24}, {40, 136}} // K, M
			if kind.Weights > 40 {
				shapes[2] = [2]int{520, 24} // some blocks
			}
			for _, shape := range shapes {
				testLinear(t, access, kind, T, shape[0], shape[1])
			}
		}
	})
}

// testLinear checks a product, and on the device's own access each finish.
func testLinear(t *testing.T, access graph.Access, kind Type, T, K, M int) {
	t.Helper()
	what := fmt.Sprintf("%s %dx%d", kind, M, K)
	finishes := []string{"none"}
	if kind == F32 && access == graph.New(device).Access() { // what follows the product knows no type
		finishes = append(finishes, "bias", "softplus", "gelu", "add", "gate", "norm", "layernorm")
	}
	for _, finish := range finishes {
		r := newRig(t, access, T, 1, 0, 0)
		numbers := r.random(T*K, 1)
		w, wide := r.matrix(kind, M, K, r.random(M*K, 0.3))
		bias, add, gate := r.random(M, 1), r.random(T*M, 1), r.random(2*M, 1)
		x, f, n := r.input(finish == "none" && K == 72, "x", T, K, numbers), Finish{}, Norm{}
		want := ref.Linear(numbers, wide, nil, T, K, M)
		switch finish {
		case "bias":
			f.Bias = r.vector(bias)
			want = ref.Linear(numbers, wide, bias, T, K, M)
		case "softplus":
			f.Softplus = true
			for i, v := range want {
				want[i] = float32(ref.Softplus(float64(v)))
			}
		case "gelu":
			f.GELU = true
			for i, v := range want {
				want[i] = float32(ref.GELU(float64(v)))
			}
		case "add":
			f.Add = r.value("add", T, M, add)
			want = ref.Add(want, add)
		case "gate":
			f.GateBy, f.Gate = r.value("add", T, M, add), r.vector(gate)
			f.Gate.Rows, f.Gate.Cols = 2, M
			want = ref.Fuse(add, want, &ref.FusionGate{Weight: gate[:M], Bias: gate[M:]}, T, M)
		case "norm":
			weight := r.random(K, 1)
			n = Norm{Weight: r.vector(weight), Width: K, Eps: 1e-5}
			want = ref.Linear(ref.RMSNorm(numbers, weight, 1e-5, T, K), wide, nil, T, K, M)
		case "layernorm":
			weight, shift := r.random(K, 1), r.random(K, 1)
			n = Norm{Weight: r.vector(weight), Bias: r.vector(shift), Width: K, Eps: 1e-5}
			want = ref.Linear(ref.LayerNorm(numbers, weight, shift, 1e-5, T, K), wide, nil, T, K, M)
		}
		near(t, what+" "+finish, r.run(NormLinear(r.g, "linear", x, n, w, f)), want)
	}
}

// TestLinearAlone: a row of few that are alone is what it would be as the only one, to the bit, with
// every finish, and a program for more rows than there are writes no other.
func TestLinearAlone(t *testing.T) {
	const K, M = 264, 72
	for _, access := range accesses {
		for _, kind := range matrices {
			for i, rows := range []int{2, 3, 8, 9} {
				for finish := range 3 {
					if !some(kind, i) || !some(kind, finish+2*(i/3)) {
						continue
					}
					t.Run(fmt.Sprintf("%s/%s/rows=%d/finish=%d", access, kind, rows, finish), func(t *testing.T) {
						testAlone(t, access, kind, rows, K, M, finish)
					})
				}
			}
		}
	}
}

func testAlone(t *testing.T, access graph.Access, kind Type, rows, K, M, finish int) {
	source := newRig(t, access, 1, 1, 0, 0)
	numbers, matrix, add := source.random(rows*K, 1), source.random(M*K, 0.3), source.random(rows*M, 1)
	vector, gate := source.random(K, 1), source.random(2*M, 1)
	var wide []float32
	linear := func(numbers, add []float32, rows, used int) []float32 {
		r := newRig(t, access, 1, used, 0, 0)
		var w Weight
		w, wide = r.matrix(kind, M, K, matrix)
		x, f, n := r.input(finish != 1, "x", rows, K, numbers), Finish{Alone: true}, Norm{}
		switch finish {
		case 1:
			n = Norm{Weight: r.vector(vector), Width: K, Eps: 1e-5}
			f.Bias, f.Softplus = r.vector(gate[:M]), true
		case 2:
			f.Add = r.value("add", rows, M, add)
			f.GateBy, f.Gate = f.Add, r.vector(gate)
		}
		y := r.value("y", rows, M, make([]float32, rows*M))
		LinearInto(r.g, "linear", y, x, n, w, f)
		r.run(graph.Value{})
		return r.read("y")
	}
	got := linear(numbers, add, rows, rows)
	if finish == 0 {
		near(t, "rows", got, ref.Linear(numbers, wide, nil, rows, K, M))
	}
	for _, i := range []int{0, rows / 2, rows - 1} {
		if one := linear(numbers[i*K:(i+1)*K], add[i*M:(i+1)*M], 1, 1); !slices.Equal(one, got[i*M:(i+1)*M]) {
			t.Fatalf("row %d of %d is not what it is alone", i, rows)
		}
	}
	if used := rows - 1; used > 0 {
		want := append(slices.Clone(got[:used*M]), make([]float32, M)...)
		if rest := linear(numbers, add, rows, used); !slices.Equal(rest, want) {
			t.Fatalf("%d of %d rows differ from all", used, rows)
		}
	}
}

func BenchmarkLinear(b *testing.B) {
	for _, T := range []int{1, 256} {
		for _, kind := range matrices {
			benchmark(b, fmt.Sprintf("%s/type=%s/K=768/M=3072", mode(T), kind), T, func(r *rig) {
				w, _ := r.matrix(kind, 3072, 768, r.random(3072*768, 1))
				Linear(r.g, "linear", r.value("x", T, 768, r.random(T*768, 1)), w, Finish{})
			})
		}
	}
}

// TestGELU goes through numbers far on both sides of zero: a matrix of one column takes each as it is.
func TestGELU(t *testing.T) {
	const T, M = 3, 8 * 400
	for _, access := range accesses {
		r := newRig(t, access, T, 1, 0, 0)
		weights, want := make([]float32, M*Pad), make([]float32, 0, T*M)
		for m := range M {
			weights[m*Pad] = float32(m-M/2) / 160 // to ±10
		}
		x := make([]float32, T*Pad)
		for i := range T {
			x[i*Pad] = []float32{1, -0.03, 20}[i]
			for m := range M {
				want = append(want, float32(ref.GELU(float64(x[i*Pad]*weights[m*Pad]))))
			}
		}
		w, _ := r.matrix(F32, M, Pad, weights)
		near(t, string(access), r.run(Linear(r.g, "linear", r.value("x", T, Pad, x), w, Finish{GELU: true})), want)
	}
}
