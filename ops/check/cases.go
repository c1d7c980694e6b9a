package check

import (
	"math"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/ops/ref"
)

// A trial runs one op, or some that belong together, and compares what comes out with the reference.
type trial struct {
	name  string
	quick bool // one of the few that are run by themselves
	run   func(r *rig, a graph.Access)
}

// matrices are the types of weights that have shaders of their own; F16 stands for BF16, too.
var matrices = []ops.Type{ops.F32, ops.F16, ops.Q8, ops.Q4K, ops.Q6K}

// trials are all there are. Every kernel is in at least one.
func trials() []trial {
	all := []trial{
		{"norms", false, norms}, {"weigh", false, weigh}, {"conv", false, conv}, {"scan", false, scan}, {"segnorm", false, segnorm},
		{"ssd", false, ssd}, {"topk", false, topk}, {"nll", false, nll}, {"attention", false, attention}, {"notes", false, notes},
		{"recall", false, attend}, {"gather", false, gather}, {"decide", false, decide}, {"limits", false, limits},
	}
	for _, t := range matrices {
		all = append(all,
			trial{"linear " + t.Name, t == ops.Q8, func(r *rig, a graph.Access) { linear(r, a, t, 1) }},
			trial{"product " + t.Name, t == ops.F32, func(r *rig, a graph.Access) { linear(r, a, t, 33) }},
			trial{"embed " + t.Name, false, func(r *rig, a graph.Access) { embed(r, a, t) }},
			trial{"linear with conv " + t.Name, false, func(r *rig, a graph.Access) { linearConv(r, a, t) }},
			trial{"ssm " + t.Name, t == ops.F16, func(r *rig, a graph.Access) { ssm(r, a, t) }},
			trial{"note " + t.Name, false, func(r *rig, a graph.Access) { noteToken(r, a, t) }},
			trial{"recall " + t.Name, false, func(r *rig, a graph.Access) { recall(r, a, t) }})
	}
	return all
}

func linear(r *rig, a graph.Access, t ops.Type, T int) {
	const K, M = 264, 136
	r.begin(a, T, 1, 0)
	x, bias, add := r.random(T*K, 1), r.random(M, 1), r.random(T*M, 1)
	w, wide := r.matrix(t, M, K, 0.3)
	f := ops.Finish{Bias: r.vector(bias), Add: r.value("add", T, M, add)}
	y := r.run(ops.Linear(r.g, "linear", r.value("x", T, K, x), w, f))
	r.near("product", y, ref.Add(ref.Linear(x, wide, bias, T, K, M), add))
}

// weigh is what comes before the product of several tokens that are each alone.
func weigh(r *rig, a graph.Access) {
	const B, K, M = 5, 40, 24
	r.begin(a, 1, B, 0)
	x, norm := r.random(B*K, 1), r.random(K, 1)
	w, wide := r.matrix(ops.F32, M, K, 0.3)
	n := ops.Norm{Weight: r.vector(norm), Width: K, Eps: 1e-5}
	y := r.run(ops.NormLinear(r.g, "linear", r.value("x", B, K, x), n, w, ops.Finish{Alone: true, Softplus: true}))
	want := ref.Linear(ref.RMSNorm(x, norm, 1e-5, B, K), wide, nil, B, K, M)
	for i, v := range want {
		want[i] = float32(ref.Softplus(float64(v)))
	}
	r.near("rows", y, want)
}

func embed(r *rig, a graph.Access, t ops.Type) {
	const vocab, d = 40, 264
	ids := []int32{39, 0, 17, 17, 8}
	r.begin(a, len(ids), 1, 0)
	words := make([]uint32, len(ids))
	for i, id := range ids {
		words[i] = uint32(id)
	}
	r.words("ids", words)
	w, wide := r.matrix(t, vocab, d, 1)
	r.near("rows", r.run(ops.Embed(r.g, r.g.Slot("ids", 0, len(ids), 1), w)), ref.Embed(wide, ids, d))
}

func norms(r *rig, a graph.Access) {
	const T, d, groups = 9, 136, 8
	for i, name := range []string{"rmsnorm", "layernorm", "groupnorm", "rownorm"} {
		r.begin(a, T, 1, 0)
		x, w, bias := r.random(T*d, 2), r.random(d, 1), r.random(d, 1)
		n := ops.Norm{Weight: r.vector(w), Width: d, Eps: 1e-5}
		in := r.value("x", T, d, x)
		switch i {
		case 0:
			r.near(name, r.run(ops.Normalize(r.g, in, n)), ref.RMSNorm(x, w, 1e-5, T, d))
		case 1:
			n.Bias = r.vector(bias)
			r.near(name, r.run(ops.Normalize(r.g, in, n)), ref.LayerNorm(x, w, bias, 1e-5, T, d))
		case 2:
			n.Groups = groups
			r.near(name, r.run(ops.Normalize(r.g, in, n)), ref.GroupNorm(x, w, 1e-5, T, d, groups))
		case 3:
			if y := r.run(ops.RowNorm(r.g, in, d-3)); r.err == nil {
				r.near(name, y[:T], ref.RowNorm(columns(x, d, 0, d-3), T, d-3))
			}
		}
	}
}

// filter is a convolution of K taps with its state, and what the reference takes.
func filter(r *rig, E, K int) (c ops.Conv, w, bias, state []float32) {
	w, bias, state = r.random(E*K, 1), r.random(E, 1), r.random(E*(K-1), 1)
	return ops.Conv{W: r.table(K, E, transposed(w, E, K)), Bias: r.vector(bias), State: r.value("state", K-1, E, transposed(state, E, K-1))}, w, bias, state
}

func conv(r *rig, a graph.Access) {
	const T, E, K = 37, 24, 4
	r.begin(a, T, 1, 0)
	u := r.random(T*E, 1)
	c, w, bias, state := filter(r, E, K)
	r.near("outputs", r.run(ops.ConvSiLU(r.g, r.value("u", T, E, u), c)), ref.ConvSiLU(u, w, bias, state, T, E, K))
	r.near("state", r.read("state"), transposed(state, E, K-1))
}

func linearConv(r *rig, a graph.Access, t ops.Type) {
	const d, M, E, K, from = 264, 48, 24, 4, 8
	r.begin(a, 1, 1, 0)
	x, norm := r.random(d, 1), r.random(d, 1)
	w, wide := r.matrix(t, M, d, 0.3)
	c, taps, bias, state := filter(r, E, K)
	c.From = from
	n := ops.Norm{Weight: r.vector(norm), Width: d, Eps: 1e-5}
	y := r.run(ops.LinearConvSiLU(r.g, "in_proj", r.value("x", 1, d, x), n, w, ops.Weight{}, c))
	want := ref.Linear(ref.RMSNorm(x, norm, 1e-5, 1, d), wide, nil, 1, d, M)
	copy(want[from:], ref.ConvSiLU(want[from:from+E], taps, bias, state, 1, E, K))
	r.near("outputs", y, want)
	r.near("state", r.read("state"), transposed(state, E, K-1))
}

// selective makes the weights of a state space, for the device and for the reference.
func selective(r *rig, t ops.Type, E, N, R int) (ops.Selective, ref.SSMWeights) {
	w, wide := r.matrix(t, E, R, 0.5)
	A, D, bias := r.random(E*N, 2), r.random(E, 1), r.random(E, 1)
	for i, v := range A {
		A[i] = -float32(math.Exp(float64(v)))
	}
	return ops.Selective{DtProj: w, DtBias: r.vector(bias), A: r.table(E, N, A), D: r.vector(D)},
		ref.SSMWeights{DtWeight: wide, DtBias: bias, A: A, D: D}
}

func ssm(r *rig, a graph.Access, t ops.Type) {
	const E, N, R = 72, 16, 48
	r.begin(a, 1, 1, 0)
	s, w := selective(r, t, E, N, R)
	dbc, u, z, h := r.random(R+2*N, 1), r.random(E, 1), r.random(E, 2), r.random(E*N, 1)
	y := r.run(ops.SSM(r.g, r.value("dbc", 1, R+2*N, dbc), r.value("u", 1, E, u), r.value("z", 1, E, z), s, r.value("h", E, N, h)))
	r.near("outputs", y, ref.SSM(w, dbc, u, z, h, 1, E, N, R))
	r.near("state", r.read("h"), h)
}

// scan scans in one piece and in three.
func scan(r *rig, a graph.Access) {
	const T, E, N, R = 49, 24, 16, 8
	for _, pieces := range []int{1, 3} {
		r.begin(a, T, 1, 0)
		s, w := selective(r, ops.F32, E, N, R)
		delta, dbc, u, z, h := r.random(T*E, 1), r.random(T*(R+2*N), 1), r.random(T*E, 1), r.random(T*E, 2), r.random(E*N, 1)
		for i, v := range delta {
			delta[i] = v * v / 2
		}
		y := r.run(ops.Scan(r.g, r.value("delta", T, E, delta), r.value("dbc", T, R+2*N, dbc), r.value("u", T, E, u),
			r.value("z", T, E, z), s, r.value("h", E, N, h), pieces))
		B, C := columns(dbc, R+2*N, R, R+N), columns(dbc, R+2*N, R+N, R+2*N)
		r.near("outputs", y, ref.Gate(ref.Scan(delta, w.A, B, C, w.D, u, h, T, E, N), z))
		r.near("state", r.read("h"), h)
	}
}

func segnorm(r *rig, a graph.Access) {
	const T, R, N = 9, 48, 16
	r.begin(a, T, 1, 0)
	dbc, want := r.random(T*(R+2*N), 1), []float32(nil)
	for i := range T {
		row := dbc[i*(R+2*N):]
		for _, part := range [][]float32{row[:R], row[R : R+N], row[R+N : R+2*N]} {
			want = append(want, ref.RMSNorm(part, nil, 1e-6, 1, len(part))...)
		}
	}
	s, _ := selective(r, ops.F32, 8, N, R)
	ops.SegmentNorm(r.g, r.value("dbc", T, R+2*N, dbc), s, R, N, 1e-6)
	r.run(graph.Value{})
	r.near("rows", r.read("dbc"), want)
}
