package ref

import "math"

// Attention are the weights of one attention over notes.
type Attention struct {
	Q []float32 // (S, d)
	K []float32 // (S, S)
	V []float32 // (S, S)
	O []float32 // (d, S)
}

// PoolAttention returns what every token recalls of J notes: one head, no positions, no mask,
//
//	q = Q x, k_j = K s_j, v_j = V s_j
//	c = O · Σ_j softmax_j(q·k_j / sqrt(S) + ln I_j) v_j
//
// It is MemMamba's cross-token attention over a layer's own pool and its cross-layer attention over
// what CrossGather collects (arXiv 2510.03279); the bias ln I_j, by which a note weighs what it was
// judged worth, is ours. Without notes c is zero.
// Shapes: x and the result are (T, d), summaries is (J, S), importances (J).
func PoolAttention(x []float32, w Attention, summaries, importances []float32, T, d, S int) []float32 {
	J := len(importances)
	if J == 0 {
		return make([]float32, T*d)
	}
	q := Linear(x, w.Q, nil, T, d, S)
	k := Linear(summaries, w.K, nil, J, S, S)
	v := Linear(summaries, w.V, nil, J, S, S)
	mixed := make([]float32, T*S)
	for t := range T {
		scores := make([]float64, J)
		top := math.Inf(-1)
		for j := range scores {
			scores[j] = dot(q[t*S:(t+1)*S], k[j*S:])/math.Sqrt(float64(S)) + math.Log(float64(importances[j]))
			top = max(top, scores[j])
		}
		var total float64
		for j, s := range scores {
			scores[j] = math.Exp(s - top)
			total += scores[j]
		}
		for i := range S {
			var sum float64
			for j, s := range scores {
				sum += s / total * float64(v[j*S+i])
			}
			mixed[t*S+i] = float32(sum)
		}
	}
	return Linear(mixed, w.O, nil, T, S, d)
}

// FusionGate are the weights of a gated fusion, (d) each.
type FusionGate struct{ Weight, Bias []float32 }

// Fuse returns F(c), what of the recalled c is added to the mixer's input x:
//
//	residual (gate nil): F(c) = c
//	gated:               F(c) = sigmoid(weight ⊙ x + bias) ⊙ c
//
// The mixer is given x + F(c_token) + F(c_layer), with a gate for each attention and the same x in
// both (MemMamba's fusion, arXiv 2510.03279, which names both; the gate's form is ours).
// Shapes: x, c and the result are (T, d).
func Fuse(x, c []float32, gate *FusionGate, T, d int) []float32 {
	out := append([]float32{}, c[:T*d]...)
	if gate == nil {
		return out
	}
	for i := range out {
		s := Sigmoid(float64(gate.Weight[i%d])*float64(x[i]) + float64(gate.Bias[i%d]))
		out[i] = float32(s * float64(c[i]))
	}
	return out
}
