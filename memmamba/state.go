package memmamba

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/vk"
)

// A State is everything one sequence carries: the last inputs of every convolution, every h, for
// MemMamba the pools, pending notes and reads, the position, and the last token's logits. Its size
// does not grow with the sequence.
type State struct {
	model    *Model
	buffer   *vk.Buffer
	position int64
	logits   []float32 // of the last token, nil before any; see underway
	recent   []int32   // the last tokens fed, for the repeat penalty
	next     []int32   // a token that was generated and not fed yet, or none
	timings  Timings
	recorded map[*graph.Program]*graph.Recording
	onWindow func(window int64, reads []bool)
}

// recentTokens is how many of its last tokens a state remembers.
const recentTokens = 4096

// NewState returns the state of an empty sequence. Close gives it back.
func (m *Model) NewState() (*State, error) {
	b, err := m.device.NewBuffer(m.programs.layout.bytes, vk.DeviceLocal)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	m.states++
	return &State{model: m, buffer: b, recorded: map[*graph.Program]*graph.Recording{}}, nil
}

// Close frees the state.
func (s *State) Close() {
	if s.buffer == nil {
		return
	}
	if s.model.underway.state == s {
		s.model.underway = underway{} // closing the recordings waits for it
	}
	for _, r := range s.recorded {
		r.Close()
	}
	s.buffer.Close()
	s.buffer = nil
	s.model.states--
}

// Position is how many tokens the sequence has, with one that Generate yielded last.
func (s *State) Position() int64 { return s.position + int64(len(s.next)) }

// Recent returns the last tokens of the sequence, oldest first: n of them, or as many as there are and the
// state remembers, 4096.
func (s *State) Recent(n int) []int32 {
	all := slices.Concat(s.recent, s.next)
	return all[max(0, len(all)-n):]
}

// Bytes is the state's size on the device.
func (s *State) Bytes() int64 { return s.buffer.Size() }

// Logits returns those after the last token that was fed, [vocab], valid until the state's next call;
// nil before the first. They are brought from the device only when somebody asks.
func (s *State) Logits() ([]float32, error) {
	if err := s.model.settle(); err != nil {
		return nil, err
	}
	return s.logits, nil
}

// OnWindow has f called at every window's first token of a MemMamba sequence with which layers read
// their own pool during it; in the first window none does.
func (s *State) OnWindow(f func(window int64, reads []bool)) { s.onWindow = f }

// Reset makes the state that of an empty sequence.
func (s *State) Reset() error {
	if err := s.model.settle(); err != nil {
		return err
	}
	s.position, s.logits, s.recent, s.next, s.timings = 0, nil, nil, nil, Timings{}
	return s.model.device.Upload(s.buffer.Whole(), 4, func(p []byte, _ int64) error {
		clear(p)
		return nil
	})
}

// Clone branches the sequence: a second state that goes on from here by itself.
func (s *State) Clone() (*State, error) {
	if err := s.model.settle(); err != nil {
		return nil, err
	}
	clone, err := s.model.NewState()
	if err != nil {
		return nil, err
	}
	c, err := s.model.device.NewCommands()
	if err != nil {
		clone.Close()
		return nil, err
	}
	defer c.Close()
	c.Copy(clone.buffer.Whole(), s.buffer.Whole())
	if err = c.End(); err == nil {
		var pending vk.Pending
		if pending, err = s.model.device.Submit(c); err == nil {
			err = pending.Wait()
		}
	}
	if err != nil {
		clone.Close()
		return nil, err
	}
	clone.position, clone.logits = s.position, slices.Clone(s.logits)
	clone.recent, clone.next = slices.Clone(s.recent), slices.Clone(s.next)
	return clone, nil
}

// recording returns a program bound to this state.
func (s *State) recording(program *graph.Program) (*graph.Recording, error) {
	if s.buffer == nil {
		return nil, errors.New("the state is closed")
	}
	if r, ok := s.recorded[program]; ok {
		return r, nil
	}
	r, err := program.Record(s.spans())
	if err != nil {
		return nil, err
	}
	s.recorded[program] = r
	return r, nil
}

// run runs a program on this state and waits for its end.
func (s *State) run(program *graph.Program) error {
	r, err := s.recording(program)
	if err != nil {
		return err
	}
	return r.Run()
}

func (s *State) spans() graph.Spans {
	slots := maps.Clone(s.model.programs.spans)
	slots[stateSlot] = s.buffer.Whole()
	return graph.Spans{Arena: s.model.arena.Whole(), Slots: slots}
}
