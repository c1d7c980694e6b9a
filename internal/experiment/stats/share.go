package stats

import "math"

// Interval returns the bounds between which the true share lies with 95% confidence when right of
// all trials, one at least, went right: Wilson's interval, which holds for few trials too.
func Interval(right, all int) (low, high float64) {
	const z = 1.959964
	n, p := float64(all), float64(right)/float64(all)
	middle := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	if low = middle - half; right == 0 { // rounding aside
		low = 0
	}
	if high = middle + half; right == all {
		high = 1
	}
	return low, high
}
