package ref

// Add returns a + b: the residual around a block (arXiv 2312.00752, section 3.4), and the sum of a
// layer's input and what its memory recalls.
// Shapes: a, b and the result are the same.
func Add(a, b []float32) []float32 {
	out := make([]float32, len(a))
	for i := range out {
		out[i] = a[i] + b[i]
	}
	return out
}
