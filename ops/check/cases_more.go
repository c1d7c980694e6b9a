package check

import (
	"math"
	"slices"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/ops/ref"
)

// ssd takes tokens through Mamba-2's state space as a pass and one by one.
func ssd(r *rig, a graph.Access) {
	const H, p, G, N, T = 4, 16, 2, 16, 70
	const E, wide = H * p, H*p + 2*G*N
	A, D, bias := r.random(H, 1), r.random(H, 1), r.random(H, 1)
	for i, v := range A {
		A[i], bias[i] = -float32(math.Exp(2*float64(v))), bias[i]-2
	}
	w := ref.SSDWeights{DtBias: bias, A: A, D: D, Limit: [2]float64{0.01, 0.9}, Heads: H, HeadDim: p, Groups: G, States: N}
	pad := func(x []float32) ops.Weight {
		return r.vector(append(slices.Clone(x), make([]float32, ops.Padded(H)-H)...))
	}
	on := func() ops.SSD {
		return ops.SSD{DtBias: pad(bias), A: pad(A), D: pad(D), Low: 0.01, High: 0.9, Heads: H, HeadDim: p, Groups: G}
	}
	for _, tokens := range []int{T, 1} {
		r.begin(a, tokens, 1, 0)
		z, xBC, dt, h := r.random(tokens*E, 2), r.random(tokens*wide, 1), r.random(tokens*H, 2), r.random(E*N, 1)
		padded := make([]float32, tokens*ops.Padded(H))
		for t := range tokens {
			copy(padded[t*ops.Padded(H):], dt[t*H:(t+1)*H])
		}
		op := ops.SSDScan
		if tokens == 1 {
			op = ops.SSDStep
		}
		steps := r.value("dt", tokens, ops.Padded(H), padded)
		y := r.run(op(r.g, r.value("z", tokens, E, z), r.value("xBC", tokens, wide, xBC), steps, on(), r.value("h", E, N, h)))
		r.near("outputs", y, ref.SSD(w, z, xBC, dt, h, tokens))
		r.near("state", r.read("h"), h)
		r.begin(a, tokens, 1, 0)
		if got := r.run(ops.SSDSteps(r.g, r.value("dt", tokens, ops.Padded(H), padded), on())); r.err == nil {
			r.near("steps", columns(got, ops.Padded(H), 0, H), ref.SSDSteps(w, dt, tokens))
		}
	}
}

func topk(r *rig, a graph.Access) {
	const vocab, k = 1000, 64
	if r.begin(a, 1, 1, 0); !ops.TopKFits(r.g) {
		return // nor does a model choose on the device then
	}
	logits := r.random(vocab, 3)
	top := r.value("top", 1, 2*k, make([]float32, 2*k))
	ops.TopK(r.g, top, r.value("logits", 1, vocab, logits), vocab)
	if r.run(graph.Value{}); r.err != nil {
		return
	}
	got := bits(r.read("top"))[:k]
	slices.Sort(got)
	var want []uint32
	for _, id := range ref.TopK(logits, k) {
		want = append(want, uint32(id))
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		r.same("choices", []float32{0}, []float32{1})
	}
}

func nll(r *rig, a graph.Access) {
	const T, vocab = 9, 1021
	wide := ops.Padded(vocab)
	r.begin(a, T, 1, 0)
	logits, padded := r.random(T*vocab, 10), make([]float32, T*wide)
	targets, words := make([]int32, T), make([]uint32, T)
	for i := range T {
		copy(padded[i*wide:], logits[i*vocab:(i+1)*vocab])
		targets[i] = int32(r.rng.IntN(vocab))
		words[i] = uint32(targets[i])
	}
	r.words("targets", words)
	ops.NLL(r.g, r.value("logits", T, wide, padded), r.g.Slot("targets", 0, T, 1), vocab, r.value("y", T, 1, make([]float32, T)))
	r.run(graph.Value{})
	r.near("nats", r.read("y"), ref.NLL(logits, targets, T, vocab))
}

// attention turns queries and keys and attends, for one token and for several.
func attention(r *rig, a graph.Access) {
	const D, heads, first, rotary, base, width = 16, 2, 150, 8, 10000, 32
	h := ops.Heads{Count: heads, Width: D}
	for _, T := range []int{1, 9} {
		r.begin(a, T, 1, first)
		k, v := r.random(first*width, 2), r.random(first*width, 1)
		var q, own, values, rows []float32
		for range T * heads {
			one := r.random(3*D, 2)
			q, own, values, rows = append(q, one[:D]...), append(own, one[D:2*D]...), append(values, one[2*D:]...), append(rows, one...)
		}
		room := make([]float32, T*width)
		r.words("keys", bits(append(slices.Clone(k), room...)))
		r.words("values", bits(append(slices.Clone(v), room...)))
		cache := ops.Cache{Keys: r.g.Whole("keys", width), Values: r.g.Whole("values", width)}
		numbers, high, wide := ops.Turns(rotary, base, first+T)
		turned := ops.Rotary(r.g, r.value("qkv", T, 3*width, rows), h, r.table(high, wide, numbers), rotary, cache)
		y := r.run(ops.Causal(r.g, turned, cache, h, 2048))
		k = append(k, ref.Rotary(own, T, heads, D, rotary, base, first)...)
		v = append(v, values...)
		r.near("keys", r.read("keys"), k)
		r.near("values", r.read("values"), v)
		r.near("outputs", y, ref.Causal(ref.Rotary(q, T, heads, D, rotary, base, first), k, v, T, heads, D, first))
	}
}

func decide(r *rig, a graph.Access) {
	const L, E, N = 5, 24, 16
	r.begin(a, 1, 1, 0)
	h, w, bias := r.random(L*E*N, 1), r.random(L*E, 2), r.random(L*ops.Pad, 0.5)
	var want []float32
	for l := range L {
		read := ref.ReadScore(h[l*E*N:(l+1)*E*N], w[l*E:(l+1)*E], bias[l*ops.Pad], E, N) > 0.5
		want = append(want, math.Float32frombits(map[bool]uint32{true: 1}[read]))
	}
	states := ops.Layered{Block: r.value("h", L*E*N/4, 4, h), Layer: E * N, Sequences: 1}
	ops.Decide(r.g, states, 1, N, r.table(L, E, w), r.table(L, ops.Pad, bias), 0.5, r.value("reads", L, 1, make([]float32, L)))
	r.run(graph.Value{})
	r.same("decisions", r.read("reads"), want)
}

// limits are the kernels that bench measures a device with.
func limits(r *rig, a graph.Access) {
	r.begin(a, 1, 1, 0)
	data := r.random(4*ops.LimitRows, 1)
	y := ops.LimitRead(r.g, r.value("data", ops.LimitRows, 4, data))
	got := r.run(y)
	r.near("sums", got, ref.LimitRead(data, y.Rows, ops.LimitRows/y.Rows))
	r.begin(a, 1, 1, 0)
	r.near("steps", r.run(ops.LimitFMA(r.g, r.value("data", ops.LimitRows, 4, data), 24)), ref.LimitFMA(data, 24))
}
