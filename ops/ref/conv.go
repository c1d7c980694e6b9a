package ref

// ConvSiLU returns y[t] = silu(Σ_k w[k] ⊙ u[t-K+1+k] + bias), the depthwise causal convolution of a
// Mamba block and its activation (arXiv 2312.00752, figure 3). Inputs of before the call are in
// state, which is updated to the last K-1 inputs. A nil bias stands for zeros.
// Shapes: u and the result are (T, E), w (E, K), bias (E), state (E, K-1) with the oldest first.
func ConvSiLU(u, w, bias, state []float32, T, E, K int) []float32 {
	out := make([]float32, T*E)
	for e := range E {
		past := state[e*(K-1) : (e+1)*(K-1)]
		inputs := append([]float32{}, past...)
		for t := range T {
			inputs = append(inputs, u[t*E+e])
		}
		for t := range T {
			sum := dot(w[e*K:(e+1)*K], inputs[t:t+K])
			if bias != nil {
				sum += float64(bias[e])
			}
			out[t*E+e] = float32(SiLU(sum))
		}
		copy(past, inputs[T:])
	}
	return out
}
