package ref

// Gate returns y ⊙ silu(z), the output gate of a Mamba block (arXiv 2312.00752, figure 3).
// Shapes: y, z and the result are the same.
func Gate(y, z []float32) []float32 {
	out := make([]float32, len(y))
	for i := range out {
		out[i] = float32(float64(y[i]) * SiLU(float64(z[i])))
	}
	return out
}
