package sample

// topK returns the k candidates that are first in the order of choice, in any order. It gathers
// up to 2k at the front of the list and selects among those, so that most of a long list is only
// compared with the last that is in.
func topK(list []candidate, k int) []candidate {
	if k >= len(list) {
		return list
	}
	n, full := 0, false
	var last candidate
	for _, c := range list {
		if full && !c.before(last) {
			continue
		}
		list[n] = c
		n++
		if n == 2*k {
			selectFirst(list[:n], k)
			n, last, full = k, list[k-1], true
		}
	}
	selectFirst(list[:n], k)
	return list[:k]
}

// selectFirst moves the k candidates that are first in the order of choice to the front, and the
// last of them to its place at k-1.
func selectFirst(list []candidate, k int) {
	for from, to := 0, len(list); to-from > 1; {
		switch p := partition(list, from, to); {
		case p < k-1:
			from = p + 1
		case p > k-1:
			to = p
		default:
			return
		}
	}
}

// softmax turns logits into weights relative to the highest one, and returns their sum.
func softmax(list []candidate, highest, temperature float64) float64 {
	total := 0.0
	for i := range list {
		w := exp((list[i].value - highest) / temperature)
		list[i].value = w
		total += w
	}
	return total
}

// topP returns the fewest candidates, in the order of choice, whose weights add up to the share p
// of total, and the sum of theirs. It narrows down the last of them by weight as a selection does
// by rank.
func topP(list []candidate, p, total float64) ([]candidate, float64) {
	// Those below this weight make up less than 1-p together: the others are enough.
	list, _ = atLeast(list, (1-p)*total/float64(len(list)))
	enough := p * total
	sum := 0.0 // of list[:from], all of which stay
	from, to := 0, len(list)
	for to-from > 1 {
		at := partition(list, from, to)
		left := 0.0
		for _, c := range list[from:at] {
			left += c.value
		}
		switch {
		case sum+left >= enough:
			to = at
		case sum+left+list[at].value >= enough:
			return list[:at+1], sum + left + list[at].value
		default:
			sum += left + list[at].value
			from = at + 1
		}
	}
	for _, c := range list[from:to] {
		sum += c.value
	}
	return list[:to], sum
}

// atLeast returns the candidates whose weight is at least least, and the sum of their weights.
func atLeast(list []candidate, least float64) ([]candidate, float64) {
	n, sum := 0, 0.0
	for _, c := range list {
		if c.value >= least {
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
