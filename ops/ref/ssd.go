package ref

import "math"

// SSDWeights are the weights of the state space of one Mamba-2 block, and its sizes: H heads of p
// channels, which make E = H·p, and G groups of heads that share B and C.
type SSDWeights struct {
	DtBias []float32  // (H)
	A      []float32  // (H), -exp(A_log)
	D      []float32  // (H)
	Limit  [2]float64 // of Δ

	Heads, HeadDim, Groups, States int // H, p, G, N
}

// SSD returns (h C + D u) ⊙ silu(z): all of a Mamba-2 block between the convolution and the norm
// (arXiv 2405.21060, section 7), token by token. With [u | B | C] the rows of xBC, for each head j of
// group g = ⌊j / (H/G)⌋
//
//	Δ = clip(softplus(dt + bias), limit)
//	h = exp(Δ A) h + Δ u Bᵀ
//	y = h C + D u
//
// where Δ, A and D are one number and u, y p. h is updated in place.
// Shapes: z and the result are (T, E), xBC (T, E+2GN), dt (T, H), h (E, N), head after head.
func SSD(w SSDWeights, z, xBC, dt, h []float32, T int) []float32 {
	H, p, G, N := w.Heads, w.HeadDim, w.Groups, w.States
	E, width := H*p, H*p+2*G*N
	y := make([]float32, T*E)
	for t := range T {
		row := xBC[t*width : (t+1)*width]
		for j := range H {
			g := j / (H / G)
			B, C := row[E+g*N:][:N], row[E+(G+g)*N:][:N]
			step := w.step(dt, t, j)
			decay := math.Exp(step * float64(w.A[j]))
			for e := j * p; e < (j+1)*p; e++ {
				u, state := float64(row[e]), h[e*N:(e+1)*N]
				for n, was := range state {
					state[n] = float32(decay*float64(was) + step*u*float64(B[n]))
				}
				y[t*E+e] = float32(dot(state, C) + float64(w.D[j])*u)
			}
		}
	}
	return Gate(y, z)
}

// step is Δ of a head at a token.
func (w SSDWeights) step(dt []float32, t, head int) float64 {
	return min(max(Softplus(float64(dt[t*w.Heads+head])+float64(w.DtBias[head])), w.Limit[0]), w.Limit[1])
}

// SSDSteps returns the time steps Δ (T, H) for dt (T, H).
func SSDSteps(w SSDWeights, dt []float32, T int) []float32 {
	delta := make([]float32, T*w.Heads)
	for i := range delta {
		delta[i] = float32(w.step(dt, i/w.Heads, i%w.Heads))
	}
	return delta
}

// GroupNorm returns x with every group of its channels, which all have the same size, normed
// by itself: RMSNorm of each (Mamba-2's norm of what was gated, arXiv 2405.21060, section 7.1).
// Shapes: x and the result are (T, E), weight is (E).
func GroupNorm(x, weight []float32, eps float64, T, E, groups int) []float32 {
	n := E / groups
	out := RMSNorm(x, nil, eps, T*groups, n)
	for i := range out {
		out[i] *= weight[i%E]
	}
	return out
}
