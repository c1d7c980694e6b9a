package tokenizer

// hugeWord is the length in bytes from which a word is merged with as little memory as can be.
const hugeWord = 1 << 17

// huge is a word under way, in four bytes for each symbol that it began as. A symbol's id stands where it
// begins; where it covers several places, its second and its last hold minus their number, and those
// between any negative number.
type huge struct {
	*bpe
	e     *encoder
	slots []int32
}

// mergeHuge does what merge does. The heap never holds many more entries than one for each
// share symbols: pairs wait for their turn outside it, and are looked for again when all of lower ranks are
// merged.
func (b *bpe) mergeHuge(e *encoder, w string, share int) error {
	n := 0
	if err := b.symbols(w, func(int32) { n++ }); err != nil {
		return err
	}
	room := n / share
	h := huge{bpe: b, e: e, slots: make([]int32, 0, n)}
	if err := b.symbols(w, func(id int32) { h.slots = append(h.slots, id) }); err != nil {
		return err
	}
	counts := make([]int32, b.ranks())
	for {
		low, high, many := h.turn(counts, room)
		if low < 0 {
			break
		}
		if many {
			h.sweep(low)
		} else {
			h.upTo(high)
		}
	}
	for at := 0; at < len(h.slots); at = h.next(at) {
		e.ids = append(e.ids, h.slots[at])
	}
	return nil
}

// ranks is one more than the highest rank.
func (b *bpe) ranks() int32 {
	n := int32(0)
	for _, m := range b.merges {
		n = max(n, m.rank+1)
	}
	return n
}

// next is where the symbol behind the one at a place begins.
func (h *huge) next(at int) int {
	if at+1 < len(h.slots) && h.slots[at+1] < 0 {
		return at - int(h.slots[at+1])
	}
	return at + 1
}

// before is where the symbol in front of the one at a place begins, -1 without one.
func (h *huge) before(at int) int {
	if at > 0 && h.slots[at-1] < 0 {
		return at + int(h.slots[at-1])
	}
	return at - 1
}

// pair is what the symbol at a place and the next become.
func (h *huge) pair(at int) (merge, bool) {
	right := h.next(at)
	if right >= len(h.slots) {
		return merge{}, false
	}
	m, ok := h.merges[pair{h.slots[at], h.slots[right]}]
	return m, ok
}

// join merges the symbol at a place with the next.
func (h *huge) join(at int, id int32) {
	right := h.next(at)
	end := h.next(right)
	h.slots[right] = -1
	h.slots[at], h.slots[at+1], h.slots[end-1] = id, int32(at-end), int32(at-end)
}

// turn finds the lowest rank of all pairs, and the rank up to which pairs fit into the heap; many says
// that those of the lowest alone do not.
func (h *huge) turn(counts []int32, room int) (low, high int32, many bool) {
	clear(counts)
	low = -1
	for at := 0; at < len(h.slots); at = h.next(at) {
		if m, ok := h.pair(at); ok {
			counts[m.rank]++
			if low < 0 || m.rank < low {
				low = m.rank
			}
		}
	}
	if low < 0 || int(counts[low]) > room {
		return low, low, low >= 0
	}
	sum := 0
	for high = low; int(high) < len(counts) && sum+int(counts[high]) <= room; high++ {
		sum += int(counts[high])
	}
	return low, high, false
}

// upTo merges all pairs of ranks below high.
func (h *huge) upTo(high int32) {
	h.e.heap = h.e.heap[:0]
	for at := 0; at < len(h.slots); at = h.next(at) {
		h.offer(at, high)
	}
	h.drain(high)
}

func (h *huge) offer(at int, high int32) {
	if m, ok := h.pair(at); ok && m.rank < high {
		h.e.push(uint64(m.rank)<<32 | uint64(at))
	}
}

// drain merges what is on the heap and what comes of it, as far as its rank is below high.
func (h *huge) drain(high int32) {
	for len(h.e.heap) > 0 {
		top := h.e.pop()
		at := int(uint32(top))
		if h.slots[at] < 0 {
			continue
		}
		if m, ok := h.pair(at); ok && m.rank == int32(top>>32) {
			h.joinAndOffer(at, m.id, high)
		}
	}
}

func (h *huge) joinAndOffer(at int, id int32, high int32) {
	h.join(at, id)
	h.offer(at, high)
	if before := h.before(at); before >= 0 {
		h.offer(before, high)
	}
}

// sweep merges the pairs of one rank, of which there are none of a lower one, from left to right. What
// comes of a merge lies to its left and goes first.
func (h *huge) sweep(rank int32) {
	h.e.heap = h.e.heap[:0]
	for at := 0; at < len(h.slots); {
		if m, ok := h.pair(at); ok && m.rank == rank {
			h.joinAndOffer(at, m.id, rank+1)
			h.drain(rank + 1)
			for h.slots[at] < 0 {
				at-- // it went into another
			}
		}
		at = h.next(at)
	}
}
