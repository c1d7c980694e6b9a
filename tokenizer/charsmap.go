package tokenizer

import (
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// charsmap is SentencePiece's table of replacements: a double-array trie over UTF-8 whose values are
// offsets into the replacements, which end in a zero byte.
type charsmap struct {
	units []uint32
	texts string
}

// parseCharsmap reads a table: the trie's size in bytes, the trie, the replacements.
func parseCharsmap(data []byte) (*charsmap, error) {
	if len(data) < 4 {
		return nil, errors.New("is shorter than its header")
	}
	size := uint64(binary.LittleEndian.Uint32(data))
	if rest := uint64(len(data) - 4); size > rest || size%4 != 0 || size == 0 {
		return nil, errors.New("has a trie that reaches beyond its end")
	}
	m := &charsmap{texts: string(data[4+size:])}
	for at := uint64(4); at < 4+size; at += 4 {
		m.units = append(m.units, binary.LittleEndian.Uint32(data[at:]))
	}
	return m, nil
}

// match finds the keys that s begins with: the first that ends, or the longest. It returns the
// replacement and the length of the key.
func (m *charsmap) match(s string, longest bool) (text string, size int, ok bool) {
	at := offset(m.units[0])
	for i := range len(s) {
		b := uint32(s[i])
		if b == 0 {
			break
		}
		at ^= b
		if at >= uint32(len(m.units)) || m.units[at]&(1<<31|0xFF) != b {
			break
		}
		unit := m.units[at]
		at ^= offset(unit)
		if unit>>8&1 == 0 {
			continue
		}
		if at >= uint32(len(m.units)) {
			break
		}
		if from := m.units[at] & (1<<31 - 1); uint64(from) < uint64(len(m.texts)) {
			text, _, _ = strings.Cut(m.texts[from:], "\x00")
			size, ok = i+1, true
			if !longest {
				break
			}
		}
	}
	return text, size, ok
}

// offset is the distance to a unit's children.
func offset(unit uint32) uint32 { return unit >> 10 << (unit >> 6 & 8) }

// maxCluster is the length in bytes from which a cluster is taken apart at once.
const maxCluster = 6

// byCluster replaces as Hugging Face does: a short cluster of characters as a whole by its first
// match, other characters one by one.
func (m *charsmap) byCluster(s string) string {
	var out strings.Builder
	out.Grow(len(s))
	for state := -1; len(s) > 0; {
		var cluster string
		if s[0] < utf8.RuneSelf && (len(s) == 1 || s[1] < utf8.RuneSelf && s[0] != '\r') {
			cluster, s, state = s[:1], s[1:], -1
		} else {
			cluster, s, _, state = uniseg.FirstGraphemeClusterInString(s, state)
		}
		if len(cluster) < maxCluster {
			if text, _, ok := m.match(cluster, false); ok {
				out.WriteString(text)
				continue
			}
		}
		for i, r := range cluster {
			char := cluster[i : i+utf8.RuneLen(r)]
			if text, _, ok := m.match(char, false); ok {
				char = text
			}
			out.WriteString(char)
		}
	}
	return out.String()
}

// next is SentencePiece's way: what the longest match at the start of s is replaced by, and its length. A
// token of kept stays as it is, and so does a character without a match. Without a table all do.
func (m *charsmap) next(s string, kept *trie) (text string, size int) {
	kept.walk(s, func(n int, _ int32) { size = n })
	if size > 0 {
		return s[:size], size
	}
	if m != nil {
		if text, size, ok := m.match(s, true); ok {
			return text, size
		}
	}
	_, size = utf8.DecodeRuneInString(s)
	return s[:size], size
}
