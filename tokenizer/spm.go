package tokenizer

import (
	"math"
	"unicode/utf8"
)

// spm is SentencePiece's byte-pair model: of all neighbours that make a token together, those go first
// whose token has the highest score, the leftmost of equals.
type spm struct {
	pieces  map[string]int32 // what neighbours may become
	scores  []float32        // by id
	unused  []bool           // by id: taken apart again in the end
	output  map[string]int32 // the tokens of what is left
	frozen  *trie            // user-defined tokens, which are never part of another
	freezes bool             // there are any

	unk     int32 // -1 without one
	byteIDs *[256]int32
	edges   *edges
}

// run is a part of a word under way, in a doubly linked list by index; -1 ends the list, and a length of
// 0 marks a part that went into its left neighbour.
type spmRun struct {
	from, size int32
	prev, next int32
	frozen     bool
}

// encode appends the tokens of a word. A long one is cut where no token can reach across.
func (m *spm) encode(e *encoder, w string) error {
	if len(w) < longWord || m.edges == nil {
		return m.merge(e, w)
	}
	from := 0
	last := rune(-1)
	for i, r := range w {
		if last >= 0 && m.edges.parts(last, r) {
			if err := e.remember(w[from:i], m.merge); err != nil {
				return err
			}
			from = i
		}
		last = r
	}
	if from == 0 {
		return m.merge(e, w)
	}
	return e.remember(w[from:], m.merge)
}

// merge appends the tokens of w.
func (m *spm) merge(e *encoder, w string) error {
	m.begin(e, w)
	taken := map[string][2]int32{} // unused tokens that were made: the sizes of their parts
	for len(e.heap) > 0 {
		top := e.pop()
		at := int32(uint32(top))
		s := &e.runs[at]
		if s.size == 0 || s.next < 0 {
			continue
		}
		right := &e.runs[s.next]
		id, ok := m.pieces[w[s.from:right.from+right.size]]
		if !ok || s.frozen || right.frozen || m.rank(id) != uint32(top>>32) {
			continue // the pair that was offered is gone
		}
		if m.unused[id] {
			taken[w[s.from:right.from+right.size]] = [2]int32{s.size, right.size}
		}
		s.size, s.next = s.size+right.size, right.next
		right.size = 0
		if s.next >= 0 {
			e.runs[s.next].prev = at
			m.offer(e, w, at)
		}
		if s.prev >= 0 {
			m.offer(e, w, s.prev)
		}
	}
	unknown := false
	for at := int32(0); at >= 0; at = e.runs[at].next {
		r := e.runs[at]
		m.put(e, w[r.from:r.from+r.size], taken, &unknown)
	}
	return nil
}

// begin makes the list of a word's characters and offers their pairs.
func (m *spm) begin(e *encoder, w string) {
	e.runs, e.heap = e.runs[:0], e.heap[:0]
	for i := 0; i < len(w); {
		_, size := utf8.DecodeRuneInString(w[i:])
		frozen := false
		if m.freezes {
			m.frozen.walk(w[i:], func(n int, _ int32) { size, frozen = n, true })
		}
		n := int32(len(e.runs))
		e.runs = append(e.runs, spmRun{int32(i), int32(size), n - 1, n + 1, frozen})
		i += size
	}
	e.runs[len(e.runs)-1].next = -1
	for i := range len(e.runs) - 1 {
		m.offer(e, w, int32(i))
	}
}

// offer puts the pair that begins at part at on the heap, if it makes a token.
func (m *spm) offer(e *encoder, w string, at int32) {
	left := e.runs[at]
	right := e.runs[left.next]
	if left.frozen || right.frozen {
		return
	}
	if id, ok := m.pieces[w[left.from:right.from+right.size]]; ok {
		e.push(uint64(m.rank(id))<<32 | uint64(at))
	}
}

// rank is a number that is the lower the higher the score.
func (m *spm) rank(id int32) uint32 {
	score := m.scores[id]
	if score == 0 {
		score = 0 // not minus zero
	}
	bits := math.Float32bits(score)
	if bits>>31 == 1 {
		return bits
	}
	return 1<<31 - 1 - bits
}

// put appends the token of a part of the word, or what stands for a part without one.
func (m *spm) put(e *encoder, s string, taken map[string][2]int32, unknown *bool) {
	id, ok := m.output[s]
	switch {
	case ok && m.unused[id] && taken[s] != [2]int32{}:
		sizes := taken[s]
		m.put(e, s[:sizes[0]], taken, unknown)
		m.put(e, s[sizes[0]:], taken, unknown)
		return
	case ok:
		e.ids = append(e.ids, id)
	default:
		var isBytes bool
		if e.ids, isBytes = inBytes(e.ids, m.byteIDs, s); isBytes {
			ok = true
		} else if !*unknown && m.unk >= 0 {
			e.ids = append(e.ids, m.unk)
		}
	}
	*unknown = !ok
}
