package ref

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
