package ref

// Linear returns y = x Wᵀ + bias: the projections in_proj, x_proj, dt_proj and out_proj of a Mamba
// block (arXiv 2312.00752, Algorithm 2 and figure 3), the head, and those of the memory. A nil
// bias stands for zeros.
// Shapes: x is (T, K), w (M, K) as PyTorch stores it, bias (M), the result (T, M).
func Linear(x, w, bias []float32, T, K, M int) []float32 {
	out := make([]float32, T*M)
	for t := range T {
		for m := range M {
			sum := dot(x[t*K:(t+1)*K], w[m*K:(m+1)*K])
			if bias != nil {
				sum += float64(bias[m])
			}
			out[t*M+m] = float32(sum)
		}
	}
	return out
}
