package tokenizer

import (
	"errors"
	"slices"
	"unicode/utf8"
)

// unigram is the model that takes the path of the highest sum of scores.
type unigram struct {
	trie     trie
	scores   []float64        // by id
	ids      map[string]int32 // of the model alone
	unk      int32            // -1 without one
	unkScore float64
	byteIDs  *[256]int32 // byte_fallback
	single   bool        // sums in single precision, as SentencePiece has them
}

// unkPenalty is how far the score of an unknown character lies below the lowest.
const unkPenalty = 10

// ending is the best way to end a token at a place.
type ending struct {
	score float64
	from  int32 // bytes back; 0 where none ends
	id    int32
}

// path is the search for the best path through one word.
type path struct {
	*unigram
	e       *encoder
	word    string
	best    []ending // from place settled on
	settled int      // the path up to here is fixed
	reach   int      // no token that was seen goes further
	unkFrom int      // unknown characters up to settled begin here, -1 without any
}

// encode appends the tokens of w. Whenever no token crosses a place, the path up to it is settled.
func (u *unigram) encode(e *encoder, w string) error {
	p := path{unigram: u, e: e, word: w, best: []ending{{}}, unkFrom: -1}
	for at := 0; at < len(w); {
		if at == p.reach {
			p.settle(at)
		}
		_, size := utf8.DecodeRuneInString(w[at:])
		single := false
		u.trie.walk(w[at:], func(n int, id int32) {
			p.offer(at, n, id, u.scores[id])
			single = single || n == size
		})
		if !single {
			if u.unk < 0 {
				return errors.New("a character has no token, and the model has no unk_id")
			}
			p.offer(at, size, u.unk, u.unkScore)
		}
		at += size
	}
	p.settle(len(w))
	p.endUnknown(len(w))
	return nil
}

// offer tries a token of n bytes.
func (p *path) offer(at, n int, id int32, score float64) {
	for len(p.best) <= at-p.settled+n {
		p.best = append(p.best, ending{})
	}
	to := &p.best[at-p.settled+n]
	sum := score + p.best[at-p.settled].score
	if p.single && id == p.unk {
		sum = float64(float32(sum))
	}
	if to.from == 0 || sum > to.score {
		if p.single {
			sum = float64(float32(sum))
		}
		*to = ending{sum, int32(n), id}
	}
	p.reach = max(p.reach, at+n)
}

// settle appends the tokens of the best path up to a place.
func (p *path) settle(to int) {
	var ends []int // of the path's tokens, the last first
	for at := to - p.settled; at > 0; at -= int(p.best[at].from) {
		ends = append(ends, at)
	}
	for _, end := range slices.Backward(ends) {
		last := p.best[end]
		if last.id == p.unk {
			if p.unkFrom < 0 {
				p.unkFrom = p.settled + end - int(last.from)
			}
			continue
		}
		p.endUnknown(p.settled + end - int(last.from))
		p.e.ids = append(p.e.ids, last.id)
	}
	score := p.best[to-p.settled].score
	p.best = append(p.best[:0], ending{score: score})
	p.settled, p.reach = to, to
}

// endUnknown appends what stands for the unknown characters before a place. Those in a row are one.
func (p *path) endUnknown(to int) {
	if p.unkFrom < 0 {
		return
	}
	s := p.word[p.unkFrom:to]
	p.unkFrom = -1
	if id, ok := p.ids[s]; ok {
		p.e.ids = append(p.e.ids, id)
		return
	}
	ids, ok := inBytes(p.e.ids, p.byteIDs, s)
	if p.e.ids = ids; !ok {
		p.e.ids = append(p.e.ids, p.unk)
	}
}

// trie finds the tokens that a text begins with. Nodes lie in one list; a node's children are in a map
// by node and byte.
type trie struct {
	ids   []int32 // by node: the token that ends there, -1 for none
	next  map[uint64]int32
	first [256]int32 // children of the root, 0 for none
}

func newTrie() trie { return trie{ids: []int32{-1}, next: map[uint64]int32{}} }

// add enters a token, which is not empty.
func (t *trie) add(s string, id int32) {
	node := int32(0)
	for i := range len(s) {
		child := t.child(node, s[i])
		if child == 0 {
			child = int32(len(t.ids))
			t.ids = append(t.ids, -1)
			if node == 0 {
				t.first[s[i]] = child
			} else {
				t.next[uint64(node)<<8|uint64(s[i])] = child
			}
		}
		node = child
	}
	t.ids[node] = id
}

func (t *trie) child(node int32, b byte) int32 {
	if node == 0 {
		return t.first[b]
	}
	return t.next[uint64(node)<<8|uint64(b)]
}

// walk reports the tokens that s begins with, the shortest first, by their lengths.
func (t *trie) walk(s string, found func(n int, id int32)) {
	node := int32(0)
	for i := range len(s) {
		if node = t.child(node, s[i]); node == 0 {
			return
		}
		if id := t.ids[node]; id >= 0 {
			found(i+1, id)
		}
	}
}
