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
