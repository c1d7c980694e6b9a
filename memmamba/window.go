package memmamba

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
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

// beginWindow runs what every layer does at a window's first token.
func (m *Model) beginWindow(s *State) error {
	m.programs.setParams(1, s.position)
	return s.run(m.programs.begin)
}

// tellWindow calls the state's window hook when the next token is the first of a window.
func (s *State) tellWindow(into int) error {
	if s.onWindow == nil || into > 0 {
		return nil
	}
	reads, err := s.reads()
	if err != nil {
		return err
	}
	s.onWindow(s.position/int64(s.model.config.Memory.Window), reads)
	return nil
}

func (s *State) reads() ([]bool, error) {
	m := s.model.programs.layout.memory
	data, err := s.download(m.reads, 4*int64(m.L))
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
	reads, err := s.reads()
	if err != nil {
		return nil, err
	}
	data, err := s.download(m.pool, m.total-m.pool)
	if err != nil {
		return nil, err
	}
	word := func(region int64, i int) uint32 {
		return binary.LittleEndian.Uint32(data[region-m.pool+4*int64(i):])
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
		slices.SortFunc(layers[l].Notes, func(a, b Note) int { return cmp.Compare(a.Position, b.Position) })
	}
	return layers, nil
}
