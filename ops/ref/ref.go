// Package ref holds the reference of every op: plain loops that say what the op means, with no
// care for speed. Numbers come in and go out as float32, as a kernel's do; sums and functions are
// taken in float64, so that a reference is at most half a unit off.
//
// Mamba's equations are those of arXiv 2312.00752, MemMamba's those of arXiv 2510.03279. What the
// latter leaves open is fixed here and marked "ours".
//
// Letters are the papers': T tokens, d hidden size, E inner size, N state size, K convolution
// taps, R rank of the time step, P pool size, S summary size. Arrays are flat and row-major,
// shapes are given slowest axis first. Lengths are the caller's business: a slice that is too
// short panics, which in a test is what it should do.
package ref

import "math"

// Sigmoid returns 1 / (1 + exp(-x)).
func Sigmoid(x float64) float64 {
	if x < 0 { // exp(-x) would overflow far from zero
		e := math.Exp(x)
		return e / (1 + e)
	}
	return 1 / (1 + math.Exp(-x))
}

// SiLU returns x · sigmoid(x).
func SiLU(x float64) float64 { return x * Sigmoid(x) }

// Softplus returns ln(1 + exp(x)), guarded: it neither overflows for a large x nor vanishes for a
// small one.
func Softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

// dot returns Σ a b over as many elements as a has.
func dot(a, b []float32) float64 {
	var sum float64
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

// GELU returns x Φ(x), with Φ the normal distribution (arXiv 1606.08415).
func GELU(x float64) float64 { return x * 0.5 * math.Erfc(-x/math.Sqrt2) }
