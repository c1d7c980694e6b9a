package memmamba

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/mmrun/mmrun/graph"
)

// A Note is what a layer wrote down of a token.
type Note struct {
	Position   int64     // of the token in the sequence
	Importance float32   // I_token, above τ1
	Summary    []float32 // S numbers
}

// LayerMemory is one layer's memory at some time.
type LayerMemory struct {
	Notes []Note // in the pool, oldest first
	Reads bool   // whether the layer reads its pool during the window now
}

// passBytes bounds each of the tables that a pass through several windows needs.
const passBytes = 64 << 20

// passTokens is how many tokens a pass may have, chunk at the most. Where reads depend on the
// recurrent state, it ends with the window; elsewhere it goes through windows as far as its tables
// have room.
func (m *memoryLayout) passTokens(chunk int, c *MemoryConfig) int {
	if c.reads() == readsByState {
		return min(chunk, m.W)
	}
	rows := passBytes/(4*m.L*m.S) - m.P - m.W // of every layer's notes
	windows := passBytes / (4 * m.L * m.P)
	if m.attending > 0 && c.Pooling != "concat" {
		windows = min(windows, passBytes/(4*m.P*2*m.S)) // of joined pools' keys and values
	}
	return max(1, min(chunk, rows, (windows-1)*m.W))
}

// windowTokens is how many of n tokens a pass may have.
func (m *Model) windowTokens(s *State, n int) int {
	c := m.config.Memory
	n = min(n, m.programs.passTokens(m.config))
	if c.reads() == readsByState {
		n = min(n, c.Window-int(s.position%int64(c.Window)))
	}
	return n
}

// meetWindows does what is due before a pass of n tokens. What a single token's pass needs first it
// returns, nil if nothing, to be submitted with that: they have the same parameters.
func (m *Model) meetWindows(s *State, n int) (first *graph.Recording, err error) {
	W := int64(m.config.Memory.Window)
	if s.position > 0 && s.position%W == 0 {
		if first, err = s.recording(m.programs.begin); err != nil {
			return nil, err
		}
	}
	if n == 1 && s.onWindow == nil {
		return first, nil
	}
	if first != nil {
		m.programs.setParams(1, s.position)
		if err := first.Run(); err != nil {
			return nil, err
		}
	}
	return nil, s.tellWindows(n)
}

// tellWindows tells who asked of the windows that begin in a pass of n tokens, which layers read.
func (s *State) tellWindows(n int) error {
	if s.onWindow == nil {
		return nil
	}
	W := int64(s.model.config.Memory.Window)
	for window := (s.position + W - 1) / W; window*W < s.position+int64(n); window++ {
		reads, err := s.reads(window)
		if err != nil {
			return err
		}
		s.onWindow(window, reads)
	}
	return nil
}

// reads says which layers read their own pool in a window, the one that begins or is under way.
func (s *State) reads(window int64) ([]bool, error) {
	m := s.model.programs.layout.memory
	if rule := s.model.config.Memory.reads(); rule != readsByState {
		return slices.Repeat([]bool{rule == readsAlways && window > 0}, m.L), nil
	}
	data, err := s.download(m.reads.at, 4*int64(m.L))
	if err != nil {
		return nil, err
	}
	reads := make([]bool, m.L)
	for l := range reads {
		reads[l] = binary.LittleEndian.Uint32(data[4*l:]) != 0
	}
	return reads, nil
}

func (s *State) download(from, size int64) ([]byte, error) {
	data := make([]byte, size)
	return data, s.model.device.Download(data, s.buffer.Span(from, size))
}

// Memory returns what every layer has written down so far; nil for a model without memory. Notes of
// the window under way are pending and not in a pool yet.
func (s *State) Memory() ([]LayerMemory, error) {
	if s.model.config.Memory == nil {
		return nil, nil
	}
	m := s.model.programs.layout.memory
	reads, err := s.reads(max(s.position-1, 0) / int64(m.W))
	if err != nil {
		return nil, err
	}
	data, err := s.download(m.pool.at, m.reads.at-m.pool.at)
	if err != nil {
		return nil, err
	}
	word := func(r region, i int) uint32 {
		return binary.LittleEndian.Uint32(data[r.at-m.pool.at+4*int64(i):])
	}
	layers := make([]LayerMemory, m.L)
	for l := range layers {
		layers[l].Reads = reads[l]
		for i := l * m.P; i < (l+1)*m.P; i++ {
			note := Note{Position: int64(word(m.position, i)), Importance: math.Float32frombits(word(m.importance, i))}
			if note.Importance == 0 {
				continue
			}
			for c := range s.model.config.Memory.SummaryDim {
				note.Summary = append(note.Summary, math.Float32frombits(word(m.pool, i*m.S+c)))
			}
			layers[l].Notes = append(layers[l].Notes, note)
		}
	}
	return layers, nil
}

// check looks for what kernels and callers rely on in the block of a saved state.
func (m *memoryLayout) check(block []byte, position int64) error {
	word := func(r region, i int64) uint32 { return binary.LittleEndian.Uint32(block[r.at+4*i:]) }
	worth := func(r region, i int64) (float32, bool) {
		importance := math.Float32frombits(word(r, i))
		return importance, importance >= 0 && importance <= 1
	}
	for i := range int64(m.L * m.P) {
		importance, ok := worth(m.importance, i)
		if at := int64(word(m.position, i)); !ok || at >= max(position, 1) {
			return fmt.Errorf("layer %d: pool place %d holds importance %g, position %d", i/int64(m.P), i%int64(m.P), importance, at)
		}
	}
	for i := range int64(m.L * m.W) {
		if importance, ok := worth(m.noted, i); !ok {
			return fmt.Errorf("layer %d: token %d of the window is noted with importance %g", i/int64(m.W), i%int64(m.W), importance)
		}
	}
	return nil
}
