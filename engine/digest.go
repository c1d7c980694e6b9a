package engine

import (
	"crypto/sha256"
	"encoding/binary"
)

// A Digest stands for all tokens of a sequence, in their order. That of a longer one follows from that of its beginning
// and the tokens after it, so that the digests of all beginnings of a text are found in one go. The zero Digest is
// that of no tokens.
type Digest [sha256.Size]byte

// Then is the digest of a sequence that goes on with these tokens.
func (d Digest) Then(ids ...int32) Digest {
	var block [sha256.Size + 4]byte
	for _, id := range ids {
		copy(block[:], d[:])
		binary.LittleEndian.PutUint32(block[sha256.Size:], uint32(id))
		d = sha256.Sum256(block[:])
	}
	return d
}
