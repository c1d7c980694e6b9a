package ref

import "math"

// Rotary turns the first rotary numbers of every head by the row's position, the first row's being
// first: numbers i and i + rotary/2 are a pair that turns by position · base^(-2i/rotary) (rotary embeddings,
// arXiv 2104.09864, in the order of GPT-NeoX).
// Shapes: x and the result are (T, heads·D).
func Rotary(x []float32, T, heads, D, rotary int, base float64, first int) []float32 {
	out := make([]float32, len(x))
	copy(out, x)
	for h := range T * heads {
		for i := range rotary / 2 {
			sin, cos := math.Sincos(float64(first+h/heads) * math.Pow(base, -2*float64(i)/float64(rotary)))
			a, b := float64(x[h*D+i]), float64(x[h*D+i+rotary/2])
			out[h*D+i], out[h*D+i+rotary/2] = float32(a*cos-b*sin), float32(b*cos+a*sin)
		}
	}
	return out
}
