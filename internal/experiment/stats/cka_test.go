package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestCKA: a set is like itself, turned, stretched and moved, and unlike an independent one; between
// two it is what the definition over features says.
func TestCKA(t *testing.T) {
	const n, d = 400, 3
	rng := rand.New(rand.NewPCG(1, 9))
	x, turned, other, wide := make([]float32, n*d), make([]float32, n*d), make([]float32, n*d), make([]float32, n*5)
	for i := range x {
		x[i], other[i] = float32(rng.NormFloat64()), float32(rng.NormFloat64())
	}
	s, c := math.Sincos(0.7)
	for i := range n {
		a, b := float64(x[i*d]), float64(x[i*d+1])
		turned[i*d], turned[i*d+1], turned[i*d+2] = float32(3*(c*a-s*b)+5), float32(3*(s*a+c*b)), 3*x[i*d+2]
		for j := range 5 {
			wide[i*5+j] = x[i*d+j%d] + float32(j)*other[i*d+j%d]
		}
	}
	alike := CKA(n, [][]float32{x, turned, other, wide})
	for i := range alike {
		if math.Abs(alike[i][i]-1) > 1e-9 {
			t.Errorf("a set is like itself by %g", alike[i][i])
		}
	}
	if math.Abs(alike[0][1]-1) > 1e-6 || alike[0][2] > 0.05 {
		t.Errorf("turned %g, another %g", alike[0][1], alike[0][2])
	}
	if want := byFeatures(n, x, wide); math.Abs(alike[0][3]-want) > 1e-9 || alike[3][0] != alike[0][3] {
		t.Errorf("%g and %g, want %g", alike[0][3], alike[3][0], want)
	}
	if !math.IsNaN(CKA(2, [][]float32{{1, 1}})[0][0]) {
		t.Error("equal vectors are like themselves")
	}
}

// byFeatures is ‖XᵀY‖² / (‖XᵀX‖ ‖YᵀY‖) of centered sets.
func byFeatures(n int, x, y []float32) float64 {
	center := func(set []float32) [][]float64 {
		d := len(set) / n
		columns := make([][]float64, d)
		for c := range columns {
			var mean float64
			for i := range n {
				mean += float64(set[i*d+c]) / float64(n)
			}
			for i := range n {
				columns[c] = append(columns[c], float64(set[i*d+c])-mean)
			}
		}
		return columns
	}
	cross := func(a, b [][]float64) float64 {
		var sum float64
		for _, p := range a {
			for _, q := range b {
				sum += dot(p, q) * dot(p, q)
			}
		}
		return sum
	}
	a, b := center(x), center(y)
	return cross(a, b) / math.Sqrt(cross(a, a)*cross(b, b))
}
