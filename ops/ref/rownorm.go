package ref

import "math"

// RowNorm returns the Euclidean norm of every row of x.
// Shapes: x is (T, n), the result (T).
func RowNorm(x []float32, T, n int) []float32 {
	out := make([]float32, T)
	for t := range T {
		var sum float64
		for _, v := range x[t*n : (t+1)*n] {
			sum += float64(v) * float64(v)
		}
		out[t] = float32(math.Sqrt(sum))
	}
	return out
}
