package fidelity

import "math"

// rowSpace returns an orthonormal basis of what rows of width d span, by Gram and Schmidt, twice over
// for accuracy.
func rowSpace(rows []float32, d int) [][]float64 {
	const least = 1e-6 // of a row's length: what is shorter was in the span already
	var basis [][]float64
	for from := 0; from < len(rows); from += d {
		v := make([]float64, d)
		for i := range v {
			v[i] = float64(rows[from+i])
		}
		whole := math.Sqrt(dot(v, v))
		for range 2 {
			for _, q := range basis {
				along := dot(q, v)
				for i := range v {
					v[i] -= along * q[i]
				}
			}
		}
		length := math.Sqrt(dot(v, v))
		if length <= least*whole {
			continue
		}
		for i := range v {
			v[i] /= length
		}
		basis = append(basis, v)
	}
	return basis
}

// share is the length of x's projection onto the span of a basis as a share of its own.
func share(basis [][]float64, x []float32) float64 {
	wide := make([]float64, len(x))
	for i, v := range x {
		wide[i] = float64(v)
	}
	var inside float64
	for _, q := range basis {
		along := dot(q, wide)
		inside += along * along
	}
	if whole := dot(wide, wide); whole > 0 {
		return min(1, math.Sqrt(inside/whole)) // rounding aside
	}
	return 0
}

func dot(a, b []float64) float64 {
	var sum float64
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}
