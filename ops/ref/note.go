package ref

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
