package ref

import "math"

// RMSNorm returns x / sqrt(mean(x²) + eps) ⊙ weight, the norm in front of every Mamba block and of
// the head (arXiv 2312.00752, section 3.4, puts a norm there, its authors' models have RMSNorm,
// arXiv 1910.07467). A nil weight stands for ones.
// Shapes: x and the result are (T, d), weight is (d).
func RMSNorm(x, weight []float32, eps float64, T, d int) []float32 {
	out := make([]float32, T*d)
	for t := range T {
		row := x[t*d : (t+1)*d]
		scale := 1 / math.Sqrt(dot(row, row)/float64(d)+eps)
		for i, v := range row {
			y := float64(v) * scale
			if weight != nil {
				y *= float64(weight[i])
			}
			out[t*d+i] = float32(y)
		}
	}
	return out
}
