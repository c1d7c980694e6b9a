package ref

import "math"

// NLL returns -ln softmax(logits)[target] for every row of logits, in nats.
// Shapes: logits are (T, V), targets and the result (T).
func NLL(logits []float32, targets []int32, T, V int) []float32 {
	out := make([]float32, T)
	for t := range T {
		row := logits[t*V : (t+1)*V]
		top := math.Inf(-1)
		for _, v := range row {
			top = max(top, float64(v))
		}
		var sum float64
		for _, v := range row {
			sum += math.Exp(float64(v) - top)
		}
		out[t] = float32(top + math.Log(sum) - float64(row[targets[t]]))
	}
	return out
}
