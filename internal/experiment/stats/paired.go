package stats

import "math"

// Paired is how likely two methods that are equally good differ as much, or more, in trials that both had: one
// alone was right in a of them and the other alone in b (McNemar's test, exact, of both sides).
func Paired(a, b int) float64 {
	n, p := a+b, 0.0
	for k := range min(a, b) + 1 {
		p += math.Exp(logChoose(n, k) - float64(n)*math.Ln2)
	}
	return min(1, 2*p)
}

// logChoose is the logarithm of how many choices of k there are among n.
func logChoose(n, k int) float64 {
	of := func(n int) float64 {
		v, _ := math.Lgamma(float64(n + 1))
		return v
	}
	return of(n) - of(k) - of(n-k)
}
