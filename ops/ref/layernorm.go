package ref

import "math"

// LayerNorm returns (x - mean(x)) / sqrt(variance(x) + eps) ⊙ weight + bias (arXiv 1607.06450), the norm
// of GPT-NeoX blocks.
// Shapes: x and the result are (T, d), weight and bias (d).
func LayerNorm(x, weight, bias []float32, eps float64, T, d int) []float32 {
	out := make([]float32, T*d)
	for t := range T {
		row := x[t*d : (t+1)*d]
		var mean, variance float64
		for _, v := range row {
			mean += float64(v) / float64(d)
		}
		for _, v := range row {
			variance += (float64(v) - mean) * (float64(v) - mean) / float64(d)
		}
		for i, v := range row {
			out[t*d+i] = float32((float64(v)-mean)/math.Sqrt(variance+eps)*float64(weight[i]) + float64(bias[i]))
		}
	}
	return out
}
