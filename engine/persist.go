package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/mmrun/mmrun/vk"
)

// A saved state is, in little-endian order:
//
//	magic, format version, fingerprint of the model
//	position, digest of all tokens fed
//	logits, recent tokens, a token generated and not fed: counts and numbers
//	the block of parts of fixed size, without derived ones
//	every growing part's rows of all tokens, part after part
//	SHA-256 of all that comes before
const (
	stateMagic   = "mmrun state\n"
	stateVersion = uint32(4)
)

type stateHeader struct {
	Magic    [len(stateMagic)]byte
	Version  uint32
	Model    fingerprint
	Position int64
	Tokens   Digest
	Logits   uint32 // how many follow
	Recent   uint32
	Next     uint32
	Block    int64
}

// savedBytes is how long the parts of a saved state are.
func (m *Model) savedBytes(position int64) int64 {
	return m.layout.saved + position*m.layout.tokenBytes()
}

// MaxSavedBytes bounds what MarshalBinary returns of any state of the model.
func (m *Model) MaxSavedBytes() int64 {
	if m.absent() {
		return 0
	}
	most := int64(0)
	if m.layout.tokenBytes() > 0 { // a sequence that grows can get so long
		most = m.sizes.MaxTokens
	}
	return m.savedBytes(most) + 4*int64(m.sizes.Vocab+recentTokens) + 1024
}

// saveParts brings the parts of a state to the host.
func (s *State) saveParts() ([]byte, error) {
	data, err := s.download(0, s.model.layout.saved)
	for _, p := range s.grown {
		if err != nil {
			return nil, err
		}
		var rows []byte
		rows, err = s.downloadRows(p)
		data = append(data, rows...)
	}
	return data, err
}

// restoreParts puts the parts of a saved state on the device.
func (s *State) restoreParts(data []byte, position int64) error {
	m := s.model
	if err := s.reserve(max(position, 1)); err != nil {
		return err
	}
	if saved := m.layout.saved; saved > 0 {
		if err := m.upload(s.buffer.Span(0, saved), data[:saved]); err != nil {
			return s.fail(err)
		}
		data = data[saved:]
	}
	for _, p := range s.grown {
		if position == 0 {
			break
		}
		rows := position * p.tokenBytes()
		if err := m.upload(p.of(position), data[:rows]); err != nil {
			return s.fail(err)
		}
		data = data[rows:]
	}
	return nil
}

// upload fills a span of the device's memory.
func (m *Model) upload(to vk.Span, data []byte) error {
	return m.device.Upload(to, 4, func(p []byte, at int64) error {
		copy(p, data[at:])
		return nil
	})
}

// MarshalBinary returns the state as a file of its own, from which the sequence goes on as if it had
// never been interrupted.
func (s *State) MarshalBinary() ([]byte, error) {
	if s.absent() {
		return nil, errStateClosed
	}
	m := s.model
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(s); err != nil {
		return nil, err
	}
	block, err := s.saveParts()
	if err != nil {
		return nil, err
	}
	h := stateHeader{
		Version: stateVersion, Model: m.source, Position: s.position, Tokens: s.sum,
		Logits: uint32(len(s.logits)), Recent: uint32(len(s.recent)), Next: uint32(len(s.next)), Block: int64(len(block)),
	}
	copy(h.Magic[:], stateMagic)
	out := make([]byte, 0, binary.Size(h)+4*(len(s.logits)+len(s.recent)+len(s.next))+len(block)+sha256.Size)
	for _, part := range []any{h, s.logits, s.recent, s.next} {
		if out, err = binary.Append(out, binary.LittleEndian, part); err != nil {
			return nil, fmt.Errorf("state: %w", err)
		}
	}
	out = append(out, block...)
	digest := sha256.Sum256(out)
	return append(out, digest[:]...), nil
}

// UnmarshalBinary makes the state that of a saved one, also after a call that failed. What is no state of this
// model, was cut short or altered, is refused and changes nothing: ErrOtherModel or ErrRefused.
func (s *State) UnmarshalBinary(data []byte) error {
	if s.absent() {
		return errStateClosed
	}
	m := s.model
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(s); err != nil && s.failed == nil {
		return err
	}
	saved, err := m.decodeSaved(data)
	if err != nil {
		return err
	}
	return s.restore(saved)
}

// A savedState is a saved state of a model, checked.
type savedState struct {
	stateHeader
	logits       []float32
	recent, next []int32
	block        []byte
}

// decodeSaved reads a saved state and checks everything about it.
func (m *Model) decodeSaved(data []byte) (*savedState, error) {
	h, body, err := m.openSaved(data)
	if err != nil {
		return nil, fmt.Errorf("saved state: %w", err)
	}
	saved := &savedState{stateHeader: h, logits: make([]float32, h.Logits), recent: make([]int32, h.Recent), next: make([]int32, h.Next)}
	for _, part := range []any{saved.logits, saved.recent, saved.next} {
		if err := binary.Read(body, binary.LittleEndian, part); err != nil {
			return nil, fmt.Errorf("saved state: %w", err)
		}
	}
	if saved.block, err = io.ReadAll(body); err == nil {
		err = m.checkSaved(saved.block, h, saved.recent, saved.next)
	}
	if err != nil {
		return nil, fmt.Errorf("saved state: %w", err)
	}
	return saved, nil
}

// restore makes the state that of a saved one, of which it takes the slices.
func (s *State) restore(saved *savedState) error {
	m := s.model
	if err := s.restoreParts(saved.block, saved.Position); err != nil {
		return err
	}
	s.position, s.logits, s.recent, s.next, s.sum = saved.Position, saved.logits, saved.recent, saved.next, saved.Tokens
	s.timings, s.failed = Timings{}, nil
	if len(saved.logits) == 0 {
		s.logits = nil
	}
	if m.programs.restore == nil {
		return nil
	}
	m.programs.setParams(1, s.position)
	return s.fail(s.run(m.programs.restore, nil))
}

// openSaved checks everything about a saved state but its contents.
func (m *Model) openSaved(data []byte) (stateHeader, io.Reader, error) {
	var h stateHeader
	size := binary.Size(h)
	if len(data) < size+sha256.Size {
		return h, nil, Refused(fmt.Errorf("cut short: %d bytes", len(data)))
	}
	body := bytes.NewReader(data[:len(data)-sha256.Size])
	if err := binary.Read(body, binary.LittleEndian, &h); err != nil {
		return h, nil, err
	}
	if err := checkHeader(h, data); err != nil {
		return h, nil, err
	}
	if h.Model != m.source {
		return h, nil, fmt.Errorf("%w: fingerprint %x, this model's is %x", ErrOtherModel, h.Model[:6], m.source[:6])
	}
	if h.Position < 0 || h.Position > m.sizes.MaxTokens {
		return h, nil, Refused(fmt.Errorf("position %d with %d logits", h.Position, h.Logits))
	}
	counts := 4 * (int64(h.Logits) + int64(h.Recent) + int64(h.Next))
	if h.Logits != 0 && h.Logits != uint32(m.sizes.Vocab) || h.Recent > recentTokens || h.Next > 1 ||
		h.Block != m.savedBytes(h.Position) || counts+h.Block != int64(body.Len()) {
		return h, nil, Refused(fmt.Errorf("%d logits, %d and %d tokens and a block of %d bytes in %d bytes do not fit the model", h.Logits, h.Recent, h.Next, h.Block, body.Len()))
	}
	return h, body, nil
}

// checkSaved checks what kernels and callers rely on.
func (m *Model) checkSaved(block []byte, h stateHeader, recent, next []int32) error {
	if h.Position > 0 && h.Logits == 0 {
		return Refused(fmt.Errorf("position %d with %d logits", h.Position, h.Logits))
	}
	for _, id := range append(next, recent...) {
		if id < 0 || int(id) >= m.sizes.Vocab {
			return Refused(fmt.Errorf("token id %d is outside the vocabulary of %d", id, m.sizes.Vocab))
		}
	}
	if int64(len(recent)) == h.Position && h.Tokens != (Digest{}).Then(recent...) {
		return Refused(fmt.Errorf("the digest of its %d tokens is another", h.Position))
	}
	checked, ok := m.config.(Checked)
	if !ok {
		return nil
	}
	err := checked.CheckState(SavedState{Position: h.Position, Part: func(layer int, name string) []byte {
		r, err := m.layout.find(layer, name)
		if err != nil {
			return nil
		}
		return block[r.at : r.at+r.size()]
	}})
	if err != nil {
		return Refused(err)
	}
	return nil
}

// A SavedHeader is what a saved state says of itself.
type SavedHeader struct {
	Model    [sha256.Size]byte // its fingerprint
	Position int64             // tokens
	Tokens   Digest            // of all of them
	Recent   []int32           // the last of them, oldest first
	Bytes    int64             // of the whole file
}

// ReadSaved reads what a saved state says of itself, without its model. What was cut short or altered is ErrRefused.
func ReadSaved(data []byte) (SavedHeader, error) {
	var h stateHeader
	size := binary.Size(h)
	if len(data) < size+sha256.Size {
		return SavedHeader{}, Refused(fmt.Errorf("cut short: %d bytes", len(data)))
	}
	body := bytes.NewReader(data[:len(data)-sha256.Size])
	if err := binary.Read(body, binary.LittleEndian, &h); err != nil {
		return SavedHeader{}, err
	}
	if err := checkHeader(h, data); err != nil {
		return SavedHeader{}, err
	}
	if h.Position < 0 || h.Recent > recentTokens || h.Next > 1 || 4*(int64(h.Logits)+int64(h.Recent)+int64(h.Next))+h.Block != int64(body.Len()) {
		return SavedHeader{}, Refused(fmt.Errorf("%d logits, %d and %d tokens and a block of %d bytes in %d bytes", h.Logits, h.Recent, h.Next, h.Block, body.Len()))
	}
	if _, err := body.Seek(4*int64(h.Logits), io.SeekCurrent); err != nil {
		return SavedHeader{}, err
	}
	recent := make([]int32, h.Recent+h.Next)
	err := binary.Read(body, binary.LittleEndian, recent)
	return SavedHeader{h.Model, h.Position + int64(h.Next), h.Tokens.Then(recent[h.Recent:]...), recent, int64(len(data))}, err
}

// checkHeader refuses what is no saved state of this program, and one that is not as it was written.
func checkHeader(h stateHeader, data []byte) error {
	switch digest := sha256.Sum256(data[:len(data)-sha256.Size]); {
	case string(h.Magic[:]) != stateMagic:
		return Refused(fmt.Errorf("not a state of mmrun"))
	case h.Version != stateVersion:
		return Refused(fmt.Errorf("format version %d, this program reads %d", h.Version, stateVersion))
	case !bytes.Equal(digest[:], data[len(data)-sha256.Size:]):
		return Refused(fmt.Errorf("checksum does not match: the file was altered or cut short"))
	}
	return nil
}
