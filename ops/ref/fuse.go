package ref

// FusionGate are the weights of a gated fusion, (d) each.
type FusionGate struct{ Weight, Bias []float32 }

// Fuse returns F(c), what of the recalled c is added to the mixer's input x:
//
//	residual (gate nil): F(c) = c
//	gated:               F(c) = sigmoid(weight ⊙ x + bias) ⊙ c
//
// The mixer is given x + F(c_token) + F(c_layer), with a gate for each attention and the same x in
// both (MemMamba's fusion, arXiv 2510.03279, which names both; the gate's form is ours).
// Shapes: x, c and the result are (T, d).
func Fuse(x, c []float32, gate *FusionGate, T, d int) []float32 {
	out := append([]float32{}, c[:T*d]...)
	if gate == nil {
		return out
	}
	for i := range out {
		s := Sigmoid(float64(gate.Weight[i%d])*float64(x[i]) + float64(gate.Bias[i%d]))
		out[i] = float32(s * float64(c[i]))
	}
	return out
}
