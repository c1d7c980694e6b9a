package memmamba

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/mmrun/mmrun/vk"
)

// A saved state is, in little-endian order:
//
//	magic, format version, fingerprint of the model
//	position, logits, recent tokens, a token generated and not fed: counts and numbers
//	the state's block without keys and values, which follow from the pools; of a Transformer, which has no
//	pools, keys and values of all tokens, layer by layer
//	SHA-256 of all that comes before
const (
	stateMagic   = "mmrun state\n"
	stateVersion = uint32(2)
)

type stateHeader struct {
	Magic    [len(stateMagic)]byte
	Version  uint32
	Model    fingerprint
	Position int64
	Logits   uint32 // how many follow
	Recent   uint32
	Next     uint32
	Block    int64
}

// savedBytes is how long the block of a saved state is.
func (m *Model) savedBytes(position int64) int64 {
	l := m.programs.layout
	if l.memory != nil {
		return l.memory.derived
	}
	return l.bytes + position*m.config.tokenBytes()
}

// MaxSavedBytes bounds what MarshalBinary returns of any state of the model.
func (m *Model) MaxSavedBytes() int64 {
	most := int64(0) // of a sequence that can get so long
	if m.config.Transformer != nil {
		most = m.config.maxTokens()
	}
	return m.savedBytes(most) + 4*int64(m.config.VocabSize+recentTokens) + 1024
}

// block is the part of a saved state that comes from the device.
func (s *State) block() ([]byte, error) {
	if s.cache != nil {
		return s.downloadCache()
	}
	return s.download(0, s.model.savedBytes(s.position))
}

// MarshalBinary returns the state as a file of its own, from which the sequence goes on as if it had
// never been interrupted.
func (s *State) MarshalBinary() ([]byte, error) {
	if err := s.model.settle(); err != nil {
		return nil, err
	}
	block, err := s.block()
	if err != nil {
		return nil, err
	}
	h := stateHeader{
		Version: stateVersion, Model: s.model.source, Position: s.position,
		Logits: uint32(len(s.logits)), Recent: uint32(len(s.recent)), Next: uint32(len(s.next)), Block: int64(len(block)),
	}
	copy(h.Magic[:], stateMagic)
	var out bytes.Buffer
	for _, part := range []any{h, s.logits, s.recent, s.next, block} {
		if err := binary.Write(&out, binary.LittleEndian, part); err != nil {
			return nil, fmt.Errorf("state: %w", err)
		}
	}
	digest := sha256.Sum256(out.Bytes())
	return append(out.Bytes(), digest[:]...), nil
}

// UnmarshalBinary makes the state that of a saved one. A state of another model, and one that was
// cut short or altered, is refused and changes nothing.
func (s *State) UnmarshalBinary(data []byte) error {
	h, body, err := s.openSaved(data)
	if err != nil {
		return fmt.Errorf("saved state: %w", err)
	}
	logits, recent, next := make([]float32, h.Logits), make([]int32, h.Recent), make([]int32, h.Next)
	for _, part := range []any{logits, recent, next} {
		if err := binary.Read(body, binary.LittleEndian, part); err != nil {
			return fmt.Errorf("saved state: %w", err)
		}
	}
	block, err := io.ReadAll(body)
	if err == nil {
		err = s.checkSaved(block, h, recent, next)
	}
	if err != nil {
		return fmt.Errorf("saved state: %w", err)
	}
	if err := s.model.settle(); err != nil {
		return err
	}
	if err := s.restore(block, h.Position); err != nil {
		return err
	}
	s.position, s.logits, s.recent, s.next, s.timings = h.Position, logits, recent, next, Timings{}
	if len(logits) == 0 {
		s.logits = nil
	}
	return s.projectKeys()
}

// restore puts the block of a saved state on the device.
func (s *State) restore(block []byte, position int64) error {
	if s.cache != nil {
		return s.uploadCache(block, position)
	}
	return s.model.upload(s.buffer.Span(0, int64(len(block))), block)
}

// upload fills a span of the device's memory.
func (m *Model) upload(to vk.Span, data []byte) error {
	return m.device.Upload(to, 4, func(p []byte, at int64) error {
		copy(p, data[at:])
		return nil
	})
}

// openSaved checks everything about a saved state but its contents.
func (s *State) openSaved(data []byte) (stateHeader, io.Reader, error) {
	var h stateHeader
	size := binary.Size(h)
	if len(data) < size+sha256.Size {
		return h, nil, fmt.Errorf("cut short: %d bytes", len(data))
	}
	body := bytes.NewReader(data[:len(data)-sha256.Size])
	if err := binary.Read(body, binary.LittleEndian, &h); err != nil {
		return h, nil, err
	}
	if string(h.Magic[:]) != stateMagic {
		return h, nil, errors.New("not a state of mmrun")
	}
	if h.Version != stateVersion {
		return h, nil, fmt.Errorf("format version %d, this program reads %d", h.Version, stateVersion)
	}
	if digest := sha256.Sum256(data[:len(data)-sha256.Size]); !bytes.Equal(digest[:], data[len(data)-sha256.Size:]) {
		return h, nil, errors.New("checksum does not match: the file was altered or cut short")
	}
	if h.Model != s.model.source {
		return h, nil, fmt.Errorf("of another model: fingerprint %x, this model's is %x", h.Model[:6], s.model.source[:6])
	}
	if h.Position < 0 || h.Position > s.model.config.maxTokens() {
		return h, nil, fmt.Errorf("position %d with %d logits", h.Position, h.Logits)
	}
	vocab := uint32(s.model.config.VocabSize)
	counts := 4 * (int64(h.Logits) + int64(h.Recent) + int64(h.Next))
	if h.Logits != 0 && h.Logits != vocab || h.Recent > recentTokens || h.Next > 1 ||
		h.Block != s.model.savedBytes(h.Position) || counts+h.Block != int64(body.Len()) {
		return h, nil, fmt.Errorf("%d logits, %d and %d tokens and a block of %d bytes in %d bytes do not fit the model", h.Logits, h.Recent, h.Next, h.Block, body.Len())
	}
	return h, body, nil
}

// checkSaved checks what kernels and callers rely on.
func (s *State) checkSaved(block []byte, h stateHeader, recent, next []int32) error {
	if h.Position > 0 && h.Logits == 0 {
		return fmt.Errorf("position %d with %d logits", h.Position, h.Logits)
	}
	for _, id := range append(next, recent...) {
		if id < 0 || int(id) >= s.model.config.VocabSize {
			return fmt.Errorf("token id %d is outside the vocabulary of %d", id, s.model.config.VocabSize)
		}
	}
	m := s.model.programs.layout.memory
	if m == nil {
		return nil
	}
	return m.check(block, h.Position)
}

// projectKeys restores what is not saved.
func (s *State) projectKeys() error {
	if s.model.config.Memory == nil {
		return nil
	}
	return s.run(s.model.programs.project)
}
