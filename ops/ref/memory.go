package ref

import "math"

// NoteScore returns I_token = sigmoid(w · x + b) for every token. A token leaves a note when it is
// above τ1 (MemMamba's Note Block, arXiv 2510.03279; the linear scorer is ours).
// Shapes: x is (T, d), the normed input of the layer before fusion; w is (d), the result (T).
func NoteScore(x, w []float32, b float32, T, d int) []float32 {
	out := make([]float32, T)
	for t := range out {
		out[t] = float32(Sigmoid(dot(x[t*d:(t+1)*d], w) + float64(b)))
	}
	return out
}

// NoteProject returns the summary s = W x of every token (MemMamba's Note Block, arXiv 2510.03279;
// the paper gives the summary's size, that it is one projection is ours).
// Shapes: x is (T, d), w (S, d), the result (T, S).
func NoteProject(x, w []float32, T, d, S int) []float32 {
	return Linear(x, w, nil, T, d, S)
}

// ReadScore returns I_state = sigmoid(w · mean_n(h) + b). A layer reads its pool during a window
// when the score of the state that the last window left is above τ2 and the pool is not empty
// (MemMamba's state threshold, arXiv 2510.03279; the linear scorer over the state's mean is ours).
// Shapes: h is (E, N), w (E).
func ReadScore(h, w []float32, b float32, E, N int) float32 {
	sum := float64(b)
	for e := range E {
		var mean float64
		for _, v := range h[e*N : (e+1)*N] {
			mean += float64(v) / float64(N)
		}
		sum += float64(w[e]) * mean
	}
	return float32(Sigmoid(sum))
}

// How CrossGather puts the pools of several layers together.
const (
	Concat = "concat"
	Mean   = "mean"
	Max    = "max"
)

// Flat returns the summaries (J, S) and the importances (J) of a pool, oldest first.
func Flat(pool []Note) (summaries, importances []float32) {
	for _, n := range pool {
		summaries = append(summaries, n.Summary...)
		importances = append(importances, n.Importance)
	}
	return summaries, importances
}

// CrossGather returns the notes that a layer's cross-layer attention looks at: those of the pools
// of the layers before it, lowest layer first (MemMamba, arXiv 2510.03279, which pools the layers'
// states without saying how; these three ways are ours):
//   - Concat: all notes of all pools, layer by layer, each oldest first;
//   - Mean, Max: for j = 0, 1, … counted from the newest note, the element-wise mean or maximum of
//     the j-th notes' summaries, and of their importances, over the pools that have a j-th note.
//
// Shapes: summaries is (J, S), importances (J).
func CrossGather(pools [][]Note, pooling string) (summaries, importances []float32) {
	if pooling == Concat {
		for _, pool := range pools {
			s, i := Flat(pool)
			summaries, importances = append(summaries, s...), append(importances, i...)
		}
		return summaries, importances
	}
	for j := 0; ; j++ {
		var rows [][]float32 // the j-th notes, each its summary and then its importance
		for _, pool := range pools {
			if j < len(pool) {
				n := pool[len(pool)-1-j]
				rows = append(rows, append(append([]float32{}, n.Summary...), n.Importance))
			}
		}
		if len(rows) == 0 {
			return summaries, importances
		}
		row := merge(rows, pooling)
		S := len(row) - 1
		summaries, importances = append(summaries, row[:S]...), append(importances, row[S])
	}
}

// merge returns the element-wise mean or maximum of rows.
func merge(rows [][]float32, pooling string) []float32 {
	out := make([]float32, len(rows[0]))
	for i := range out {
		sum, top := 0.0, rows[0][i]
		for _, row := range rows {
			sum += float64(row[i])
			top = max(top, row[i])
		}
		out[i] = float32(sum / float64(len(rows)))
		if pooling == Max {
			out[i] = top
		}
	}
	return out
}

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
