package server

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/mmrun/mmrun/engine"
)

// A digest stands for all tokens of a sequence. That of a longer one follows from that of its beginning and the
// tokens after it, so that the prefixes of a prompt are found in one go.
type digest [sha256.Size]byte

// then is the digest of a sequence that goes on with these tokens.
func (d digest) then(ids ...int32) digest {
	var block [sha256.Size + 4]byte
	for _, id := range ids {
		copy(block[:], d[:])
		binary.LittleEndian.PutUint32(block[sha256.Size:], uint32(id))
		d = sha256.Sum256(block[:])
	}
	return d
}

// A trace follows a sequence from one of its states to the next.
type trace struct {
	at    int64 // tokens
	sum   digest
	known bool // sum is that of the tokens; false after a state of which only the last tokens are known
}

// follow goes on to where a state stands, by the last tokens that it knows.
func (t *trace) follow(s *engine.State) {
	n := s.Position() - t.at
	recent := s.Recent(int(n))
	if int64(len(recent)) < n {
		t.known = false
	}
	t.at, t.sum = s.Position(), t.sum.then(recent...)
}

// A saved is a state as bytes, which go on living when the device does not.
type saved struct {
	trace
	data []byte // of MarshalBinary; nil is the beginning of all sequences
}
