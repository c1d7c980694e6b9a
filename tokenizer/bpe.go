package tokenizer

import (
	"fmt"
	"unicode/utf8"
)

// bpe is the byte-pair model, over bytes or over characters.
type bpe struct {
	bytes   *[256]int32      // over bytes: the token of each, -1 without one
	chars   map[rune]int32   // over characters: their tokens
	merges  map[pair]merge   // what two neighbours become
	whole   map[string]int32 // with ignore_merges: words that are tokens as they stand
	longest int              // of whole, in bytes

	unk     int32       // for what has no token, -1 without one
	fuseUnk bool        // one unk for neighbours that have none
	byteIDs *[256]int32 // byte_fallback: tokens for the bytes of such a character
	edges   *edges
}

type pair struct{ left, right int32 }

// merge is the token that a pair becomes; the lowest rank goes first.
type merge struct{ rank, id int32 }

// symbol is a token under way, in a doubly linked list by index; -1 ends the list, and an id of
// -1 marks a symbol that went into its left neighbour.
type symbol struct{ id, prev, next int32 }

// longWord is the length in bytes from which a word is taken apart where no merge can cross.
const longWord = 32

// encode appends the tokens of a word. A long one is cut where no merge can reach across, which
// changes nothing and bounds the work and the memory.
func (b *bpe) encode(e *encoder, w string) error {
	if len(w) <= b.longest {
		if id, ok := b.whole[w]; ok {
			e.ids = append(e.ids, id)
			return nil
		}
	}
	if len(w) < longWord || b.edges == nil {
		return b.merge(e, w)
	}
	from := 0
	last := rune(-1)
	for i := 0; i < len(w); {
		r, n := rune(w[i]), 1
		if b.bytes == nil {
			r, n = utf8.DecodeRuneInString(w[i:])
		}
		if last >= 0 && b.edges.parts(last, r) {
			if err := e.remember(w[from:i], b.merge); err != nil {
				return err
			}
			from = i
		}
		last = r
		i += n
	}
	if from == 0 {
		return b.merge(e, w)
	}
	return e.remember(w[from:], b.merge)
}

// symbols reports the tokens of the bytes or characters of w.
func (b *bpe) symbols(w string, add func(id int32)) error {
	unknown := false
	var few [4]int32
	for i := 0; i < len(w); {
		id, n := b.first(w[i:])
		bytes, isBytes := few[:0], false
		if id < 0 && b.byteIDs != nil {
			bytes, isBytes = inBytes(few[:0], b.byteIDs, b.written(w[i:i+n]))
		}
		switch {
		case id >= 0:
			add(id)
		case isBytes:
			for _, id := range bytes {
				add(id)
			}
		case b.unk < 0:
			return b.missing(w[i : i+n])
		case !unknown || !b.fuseUnk:
			add(b.unk)
		}
		unknown = id < 0 && !isBytes
		i += n
	}
	return nil
}

// first returns the token of the first byte or character of w, -1 without one, and its length.
func (b *bpe) first(w string) (id int32, n int) {
	if b.bytes != nil {
		return b.bytes[w[0]], 1
	}
	r, n := utf8.DecodeRuneInString(w)
	if id, ok := b.chars[r]; ok {
		return id, n
	}
	return -1, n
}

// written is a byte or a character as the vocabulary writes it.
func (b *bpe) written(s string) string {
	if b.bytes != nil {
		return string(charOf[s[0]])
	}
	return s
}

func (b *bpe) missing(s string) error {
	if b.bytes != nil {
		return fmt.Errorf("byte 0x%02X (%q in the vocabulary's alphabet) has no token", s[0], charOf[s[0]])
	}
	return fmt.Errorf("the character %q has no token", s)
}

// merge appends the tokens of w. A heap over the pairs keeps long words at n log n.
func (b *bpe) merge(e *encoder, w string) error {
	if len(w) > hugeWord {
		return b.mergeHuge(e, w, 4)
	}
	e.list, e.heap = e.list[:0], e.heap[:0]
	err := b.symbols(w, func(id int32) {
		n := int32(len(e.list))
		e.list = append(e.list, symbol{id, n - 1, n + 1})
	})
	if err != nil {
		return err
	}
	if n := len(e.list); n > 0 {
		e.list[n-1].next = -1
	}
	for i := range max(len(e.list)-1, 0) {
		b.offer(e, int32(i))
	}
	for len(e.heap) > 0 {
		top := e.pop()
		rank, at := int32(top>>32), int32(uint32(top))
		s := &e.list[at]
		if s.id < 0 || s.next < 0 {
			continue
		}
		right := &e.list[s.next]
		m, ok := b.merges[pair{s.id, right.id}]
		if !ok || m.rank != rank {
			continue // the pair that was offered is gone
		}
		s.id, s.next = m.id, right.next
		right.id = -1
		if s.next >= 0 {
			e.list[s.next].prev = at
			b.offer(e, at)
		}
		if s.prev >= 0 {
			b.offer(e, s.prev)
		}
	}
	if len(e.list) == 0 {
		return nil
	}
	for at := int32(0); at >= 0; at = e.list[at].next {
		e.ids = append(e.ids, e.list[at].id)
	}
	return nil
}

// offer puts the pair that begins at symbol at on the heap, if it merges.
func (b *bpe) offer(e *encoder, at int32) {
	s := e.list[at]
	if m, ok := b.merges[pair{s.id, e.list[s.next].id}]; ok {
		e.push(uint64(m.rank)<<32 | uint64(at))
	}
}

// push puts an entry on the heap.
func (e *encoder) push(entry uint64) {
	h := append(e.heap, entry)
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

// edges knows the neighbours that a merge can bring into one token: the last byte or character of some
// left side before the first of its right side.
type edges struct {
	low  [256][256]bool
	high map[[2]rune]bool
	all  map[rune]int32 // characters that are tokens; nil where all are
}

func (e *edges) add(left, right rune) {
	if left < 256 && right < 256 {
		e.low[left][right] = true
		return
	}
	e.high[[2]rune{left, right}] = true
}

// parts reports that no merge joins the two, and that neither is written with other tokens than its own.
func (e *edges) parts(left, right rune) bool {
	if left < 256 && right < 256 {
		if e.low[left][right] {
			return false
		}
	} else if e.high[[2]rune{left, right}] {
		return false
	}
	if e.all == nil {
		return true
	}
	_, okLeft := e.all[left]
	_, okRight := e.all[right]
	return okLeft && okRight
}
