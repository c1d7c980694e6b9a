package ref

// SSMWeights are the weights of the selective SSM of one Mamba block.
type SSMWeights struct {
	DtWeight []float32 // (E, R)
	DtBias   []float32 // (E)
	A        []float32 // (E, N), -exp(A_log)
	D        []float32 // (E)
	Norm     bool      // FalconMamba: dt, B and C are each divided by their RMS
	NormEps  float64   // its epsilon, mixer_rms_eps
}

// SSM returns (h C + D ⊙ u) ⊙ silu(z): all of a Mamba block between x_proj and out_proj (arXiv
// 2312.00752, Algorithm 2 and figure 3). With [dt | B | C] the rows of dbc, each through a
// weightless RMSNorm when Norm says so (FalconMamba, arXiv 2410.05355),
//
//	Δ = softplus(dt_proj dt + bias)
//
// and the rest is Scan and Gate. h is updated in place.
// Shapes: dbc is (T, R+2N), u, z and the result are (T, E), h is (E, N).
func SSM(w SSMWeights, dbc, u, z, h []float32, T, E, N, R int) []float32 {
	dt := columns(dbc, T, R+2*N, 0, R)
	B := columns(dbc, T, R+2*N, R, R+N)
	C := columns(dbc, T, R+2*N, R+N, R+2*N)
	if w.Norm {
		dt = RMSNorm(dt, nil, w.NormEps, T, R)
		B = RMSNorm(B, nil, w.NormEps, T, N)
		C = RMSNorm(C, nil, w.NormEps, T, N)
	}
	delta := Linear(dt, w.DtWeight, w.DtBias, T, R, E)
	for i, v := range delta {
		delta[i] = float32(Softplus(float64(v)))
	}
	return Gate(Scan(delta, w.A, B, C, w.D, u, h, T, E, N), z)
}

// columns returns the columns [from, to) of x, which is (T, width).
func columns(x []float32, T, width, from, to int) []float32 {
	var out []float32
	for t := range T {
		out = append(out, x[t*width+from:t*width+to]...)
	}
	return out
}
