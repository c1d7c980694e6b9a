package sample

import "math"

// topK returns the k candidates that are first in the order of choice, in any order.
func topK(list []candidate, k int) []candidate {
	if k >= len(list) {
		return list
	}
	for from, to := 0, len(list); to-from > 1; {
		switch p := partition(list, from, to); {
		case p < k-1:
			from = p + 1
		case p > k:
			to = p
		default:
			return list[:k]
		}
	}
	return list[:k]
}

// softmax turns logits into weights relative to the highest one, and returns their sum.
func softmax(list []candidate, highest, temperature float64) float64 {
	total := 0.0
	for i := range list {
		w := math.Exp((list[i].value - highest) / temperature)
		list[i].value = w
		total += w
	}
	return total
}

// topP returns the fewest candidates, in the order of choice, whose weights add up to enough, and
// their sum. It narrows down the last of them by weight as a selection does by rank.
func topP(list []candidate, enough float64) ([]candidate, float64) {
	sum := 0.0 // of list[:from], all of which stay
	from, to := 0, len(list)
	for to-from > 1 {
		p := partition(list, from, to)
		left := 0.0
		for _, c := range list[from:p] {
			left += c.value
		}
		switch {
		case sum+left >= enough:
			to = p
		case sum+left+list[p].value >= enough:
			return list[:p+1], sum + left + list[p].value
		default:
			sum += left + list[p].value
			from = p + 1
		}
	}
	for _, c := range list[from:to] {
		sum += c.value
	}
	return list[:to], sum
}

// minP returns the candidates whose weight is at least p, the highest weight being 1, and the sum
// of their weights.
func minP(list []candidate, p float64) ([]candidate, float64) {
	n, sum := 0, 0.0
	for _, c := range list {
		if c.value >= p {
			list[n] = c
			n++
			sum += c.value
		}
	}
	return list[:n], sum
}

// draw returns the candidate in whose share of the weights at lies, from 0 to below their sum.
func draw(list []candidate, at float64) int32 {
	var id int32
	for _, c := range list {
		if c.value == 0 {
			continue
		}
		id = c.id
		if at < c.value {
			break
		}
		at -= c.value
	}
	return id
}

// partition picks a pivot among list[from:to], puts what goes before it to its left and the rest
// to its right, and returns its index.
func partition(list []candidate, from, to int) int {
	last := to - 1
	mid := from + (to-from)/2
	// The median of three goes last, to be the pivot.
	if list[mid].before(list[from]) {
		list[mid], list[from] = list[from], list[mid]
	}
	if list[last].before(list[from]) {
		list[last], list[from] = list[from], list[last]
	}
	if list[mid].before(list[last]) {
		list[mid], list[last] = list[last], list[mid]
	}
	pivot := list[last]
	at := from
	for i := from; i < last; i++ {
		if list[i].before(pivot) {
			list[i], list[at] = list[at], list[i]
			at++
		}
	}
	list[at], list[last] = list[last], list[at]
	return at
}
