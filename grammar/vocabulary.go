package grammar

import (
	"bytes"
	"slices"
)

// A Vocabulary is the tokens of a model, as a grammar looks at them. It takes a while to make and is of use to any
// number of constraints and goroutines.
type Vocabulary struct {
	pieces [][]byte
	names  map[string]int32 // by text, of tokens that grammars may name
	end    []bool           // by id
	ends   []int32

	nodes []node
	ids   []int32 // by node, in order
	depth int     // of the trie
}

// node is the end of a prefix of tokens. The nodes lie in the order of their prefixes, so that all that begin with one
// follow it.
type node struct {
	kinds  uint64 // of the bytes of the tokens after this one
	after  int32  // the first node that does not begin with this one
	first  int32  // of Vocabulary.ids; those of the node end where those of the next begin
	length int32  // of the prefix
	last   byte
}

// NewVocabulary returns the vocabulary of pieces: by id the bytes that a token stands for, none for tokens that stand
// for no text, such as special ones. ends are the tokens that end a text. names has the tokens that grammars may
// name, as <think>, by that text; it may be nil. The pieces are kept.
func NewVocabulary(pieces [][]byte, ends []int32, names map[string]int32) *Vocabulary {
	v := &Vocabulary{pieces: pieces, names: names, end: make([]bool, len(pieces)), ends: ends}
	for _, id := range ends {
		if 0 <= id && int(id) < len(pieces) {
			v.end[id] = true
		}
	}
	for id, p := range pieces {
		if len(p) > 0 && !v.end[id] {
			v.ids = append(v.ids, int32(id))
		}
	}
	slices.SortStableFunc(v.ids, func(a, b int32) int { return bytes.Compare(pieces[a], pieces[b]) })
	v.build()
	return v
}

// build makes the trie of the ids in order.
func (v *Vocabulary) build() {
	var open []int32 // by length - 1: the node of the prefix of the last piece
	var last []byte
	closeTo := func(length int) {
		for len(open) > length {
			n := open[len(open)-1]
			open = open[:len(open)-1]
			v.nodes[n].after = int32(len(v.nodes))
			if len(open) > 0 {
				up := &v.nodes[open[len(open)-1]]
				up.kinds |= v.nodes[n].kinds | 1<<kindOf[v.nodes[n].last]
			}
		}
	}
	for i, id := range v.ids {
		piece := v.pieces[id]
		same := 0
		for same < len(last) && same < len(piece) && last[same] == piece[same] {
			same++
		}
		closeTo(same)
		for j := same; j < len(piece); j++ {
			open = append(open, int32(len(v.nodes)))
			v.nodes = append(v.nodes, node{last: piece[j], length: int32(j + 1), first: int32(i)})
		}
		last = piece
		v.depth = max(v.depth, len(piece))
	}
	closeTo(0)
	v.nodes = append(v.nodes, node{first: int32(len(v.ids))}) // where the last node's ids end
}

// kindOf puts bytes into at most 64 kinds: those that grammars often tell apart are alone.
var kindOf = func() (kinds [256]uint8) {
	groups := []string{"abcdfghijklmopqvwxyz", "e", "r", "s", "t", "u", "n", "GHIJKLMNOPQRSTUVWXYZ", "ABCDF", "E", "0", "123456789", "\n", "\r", "\t", " ", "\x7f"}
	for i, group := range groups {
		for _, b := range []byte(group) {
			kinds[b] = uint8(i + 4)
		}
	}
	next := uint8(len(groups) + 4)
	for b := range 256 {
		switch {
		case b >= 0x80:
			kinds[b] = uint8(b >> 6 & 1) // bytes that begin a character, and others
		case b < ' ' && kinds[b] == 0:
			kinds[b] = 2
		case kinds[b] == 0:
			kinds[b] = next
			next++
		}
	}
	return kinds
}()
