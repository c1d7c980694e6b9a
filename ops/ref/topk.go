package ref

import (
	"cmp"
	"math"
	"slices"
)

// TopK returns the numbers of the k highest logits, the lower of equals first, by rising number: what
// a choice of the next token (greedy, or arXiv 1805.04833's top-k) depends on. NaN and +Inf count as
// the highest of all and equal.
func TopK(logits []float32, k int) []int {
	height := func(i int) float64 {
		if v := float64(logits[i]); v == v {
			return v
		}
		return math.Inf(1)
	}
	order := make([]int, len(logits))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(height(b), height(a)) })
	order = order[:k]
	slices.Sort(order)
	return order
}
