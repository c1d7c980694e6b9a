package stats

import "math"

// CKA returns how alike sets of vectors are, every set with every other: linear centered kernel
// alignment (arXiv 1905.00414), from 0 to 1. A set has n vectors one after the other, of any width;
// the i-th vectors of all sets belong together. With fewer vectors than they are wide it is too
// high. A set of equal vectors is like none, not even itself: NaN.
func CKA(n int, sets [][]float32) [][]float64 {
	grams, norms := make([][]float64, len(sets)), make([]float64, len(sets))
	for i, set := range sets {
		grams[i] = gram(n, set)
		norms[i] = math.Sqrt(dot(grams[i], grams[i]))
	}
	alike := make([][]float64, len(sets))
	for i := range alike {
		alike[i] = make([]float64, len(sets))
		for j := range i + 1 {
			alike[i][j] = dot(grams[i], grams[j]) / (norms[i] * norms[j])
			alike[j][i] = alike[i][j]
		}
	}
	return alike
}

// gram is the inner products of all pairs of n vectors, the mean vector taken away.
func gram(n int, set []float32) []float64 {
	d := len(set) / n
	centered := make([]float64, len(set))
	for c := range d {
		var mean float64
		for i := range n {
			mean += float64(set[i*d+c]) / float64(n)
		}
		for i := range n {
			centered[i*d+c] = float64(set[i*d+c]) - mean
		}
	}
	g := make([]float64, n*n)
	for i := range n {
		for j := range i + 1 {
			g[i*n+j] = dot(centered[i*d:(i+1)*d], centered[j*d:(j+1)*d])
			g[j*n+i] = g[i*n+j]
		}
	}
	return g
}

func dot(a, b []float64) float64 {
	var sum float64
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}
