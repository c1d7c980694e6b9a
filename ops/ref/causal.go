package ref

import "math"

// Causal returns softmax(q·k/√D) v of every head over the keys and values of the row's own token and all
// before it; the first row's token is number first (attention of arXiv 1706.03762).
// Shapes: q and the result are (T, heads·D), keys and values (first+T, heads·D).
func Causal(q, keys, values []float32, T, heads, D, first int) []float32 {
	out := make([]float32, len(q))
	width := heads * D
	for t := range T {
		for h := range heads {
			at := t*width + h*D
			scores, top := make([]float64, first+t+1), math.Inf(-1)
			for j := range scores {
				scores[j] = dot(q[at:at+D], keys[j*width+h*D:]) / math.Sqrt(float64(D))
				top = max(top, scores[j])
			}
			var total float64
			sum := make([]float64, D)
			for j, s := range scores {
				weight := math.Exp(s - top)
				total += weight
				for i := range sum {
					sum[i] += weight * float64(values[j*width+h*D+i])
				}
			}
			for i, v := range sum {
				out[at+i] = float32(v / total)
			}
		}
	}
	return out
}
