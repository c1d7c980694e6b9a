package ops

import (
	"fmt"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

func TestLinear(t *testing.T) {
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		for _, kind := range matrices {
			for _, shape := range [][2]int{{8, 8}, {72, 24}, {40, 136}} { // K, M
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
		finishes = append(finishes, "bias", "softplus", "add", "gate", "norm")
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
		}
		near(t, what+" "+finish, r.run(NormLinear(r.g, "linear", x, n, w, f)), want)
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
