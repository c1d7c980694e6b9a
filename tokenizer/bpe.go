package tokenizer

import "fmt"

// bpe is the byte-pair model over raw bytes.
type bpe struct {
	symbols [256]int32       // id of the token of a single byte, -1 without one
	merges  map[pair]merge   // what two neighbours become
	whole   map[string]int32 // with ignore_merges: words that are tokens as they stand
}

type pair struct{ left, right int32 }

// merge is the token that a pair becomes; the lowest rank goes first.
type merge struct{ rank, id int32 }

// symbol is a token under way, in a doubly linked list by index; -1 ends the list, and an id of
// -1 marks a symbol that went into its left neighbour.
type symbol struct{ id, prev, next int32 }

// encoder holds one Encode call: the result and scratch space.
type encoder struct {
	bpe  *bpe
	ids  []int32
	seen map[string]span // words encoded before, as spans of ids
	list []symbol
	heap []uint64 // rank<<32 | index of the left symbol
}

type span struct{ from, to int }

// token appends an added token.
func (e *encoder) token(id int32) { e.ids = append(e.ids, id) }

// word appends the tokens of one word, its bytes as in the text.
func (e *encoder) word(w string) error {
	if s, ok := e.seen[w]; ok {
		e.ids = append(e.ids, e.ids[s.from:s.to]...)
		return nil
	}
	from := len(e.ids)
	if id, ok := e.bpe.whole[w]; ok {
		e.ids = append(e.ids, id)
	} else if err := e.merge(w); err != nil {
		return err
	}
	e.seen[w] = span{from, len(e.ids)}
	return nil
}

// merge appends the tokens of w. A heap over the pairs keeps long words at n log n.
func (e *encoder) merge(w string) error {
	e.list, e.heap = e.list[:0], e.heap[:0]
	for i := range len(w) {
		id := e.bpe.symbols[w[i]]
		if id < 0 {
			return fmt.Errorf("byte 0x%02X (%q in the vocabulary's alphabet) has no token", w[i], charOf[w[i]])
		}
		e.list = append(e.list, symbol{id, int32(i) - 1, int32(i) + 1})
	}
	e.list[len(w)-1].next = -1
	for i := range len(w) - 1 {
		e.offer(int32(i))
	}
	for len(e.heap) > 0 {
		top := e.pop()
		rank, at := int32(top>>32), int32(uint32(top))
		s := &e.list[at]
		if s.id < 0 || s.next < 0 {
			continue
		}
		right := &e.list[s.next]
		m, ok := e.bpe.merges[pair{s.id, right.id}]
		if !ok || m.rank != rank {
			continue // the pair that was offered is gone
		}
		s.id, s.next = m.id, right.next
		right.id = -1
		if s.next >= 0 {
			e.list[s.next].prev = at
			e.offer(at)
		}
		if s.prev >= 0 {
			e.offer(s.prev)
		}
	}
	for at := int32(0); at >= 0; at = e.list[at].next {
		e.ids = append(e.ids, e.list[at].id)
	}
	return nil
}

// offer puts the pair that begins at symbol at on the heap, if it merges.
func (e *encoder) offer(at int32) {
	s := e.list[at]
	m, ok := e.bpe.merges[pair{s.id, e.list[s.next].id}]
	if !ok {
		return
	}
	h := append(e.heap, uint64(m.rank)<<32|uint64(at))
	e.heap = h
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if h[parent] <= h[i] {
			break
		}
		h[parent], h[i] = h[i], h[parent]
		i = parent
	}
}

// pop takes the lowest entry off the heap: the lowest rank, the leftmost of equals.
func (e *encoder) pop() uint64 {
	h := e.heap
	top, n := h[0], len(h)-1
	h[0] = h[n]
	h = h[:n]
	for i := 0; ; {
		child := 2*i + 1
		if child >= n {
			break
		}
		if child+1 < n && h[child+1] < h[child] {
			child++
		}
		if h[i] <= h[child] {
			break
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
	e.heap = h
	return top
}
