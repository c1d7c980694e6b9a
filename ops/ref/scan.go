package ref

import "math"

// Scan returns the selective scan (arXiv 2312.00752, equation 2 with the discretisation of
// Algorithm 2, B simplified to Δ B as its authors' code has it): token by token
//
//	h = exp(Δ ⊙ A) ⊙ h + (Δ ⊙ u) Bᵀ
//	y = h C + D ⊙ u
//
// h is updated in place to the state after the last token.
// Shapes: delta, u and the result are (T, E), A and h (E, N), B and C (T, N), D (E).
func Scan(delta, A, B, C, D, u, h []float32, T, E, N int) []float32 {
	out := make([]float32, T*E)
	for e := range E {
		state := h[e*N : (e+1)*N]
		for t := range T {
			dt, in := float64(delta[t*E+e]), float64(u[t*E+e])
			sum := float64(D[e]) * in
			for n, was := range state {
				v := math.Exp(dt*float64(A[e*N+n]))*float64(was) + dt*in*float64(B[t*N+n])
				sum += v * float64(C[t*N+n])
				state[n] = float32(v)
			}
			out[t*E+e] = float32(sum)
		}
	}
	return out
}
