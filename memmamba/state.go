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
// does not grow with the sequence, but for a Transformer's, which has all keys and values.
type State struct {
	model    *Model
	buffer   *vk.Buffer // none of a Transformer
	cache    cache      // nil but for a Transformer
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
	s := &State{model: m, recorded: map[*graph.Program]*graph.Recording{}}
	m.states++
	var err error
	if m.config.Transformer != nil {
		s.cache = make(cache, m.config.NumHiddenLayers)
		err = s.reserve(1)
	} else {
		s.buffer, err = m.device.NewBuffer(m.programs.layout.bytes, vk.DeviceLocal)
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("state: %w", err)
	}
	return s, nil
}

// Close frees the state.
func (s *State) Close() {
	if s.recorded == nil {
		return
	}
	if s.model.underway.state == s {
		s.model.underway = underway{} // closing the recordings waits for it
	}
	s.closeRecordings()
	s.recorded = nil
	if s.buffer != nil {
		s.buffer.Close()
	}
	s.cache.close()
	s.buffer, s.cache = nil, nil
	s.model.states--
}

func (s *State) closeRecordings() {
	for _, r := range s.recorded {
		r.Close()
	}
	clear(s.recorded)
}

// Position is how many tokens the sequence has, with one that Generate yielded last.
func (s *State) Position() int64 { return s.position + int64(len(s.next)) }

// Recent returns the last tokens of the sequence, oldest first: n of them, or as many as there are and the
// state remembers, 4096.
func (s *State) Recent(n int) []int32 {
	all := slices.Concat(s.recent, s.next)
	return all[max(0, len(all)-n):]
}

// Bytes is the state's size on the device. A Transformer's is that of the tokens it has room for.
func (s *State) Bytes() int64 {
	if s.buffer == nil {
		return s.cache.bytes()
	}
	return s.buffer.Size()
}

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
	if s.buffer == nil {
		return nil // nobody looks behind the position in a cache
	}
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
	if s.buffer != nil {
		err = s.model.copy([2]vk.Span{clone.buffer.Whole(), s.buffer.Whole()})
	} else if err = clone.reserve(s.position); err == nil && s.position > 0 {
		err = s.model.copy(clone.cache.pairs(s.cache, s.position*s.model.config.rowBytes())...)
	}
	if err != nil {
		clone.Close()
		return nil, err
	}
	clone.position, clone.logits = s.position, slices.Clone(s.logits)
	clone.recent, clone.next = slices.Clone(s.recent), slices.Clone(s.next)
	return clone, nil
}

// copy copies spans, to the first of each pair from the second, and waits for its end.
func (m *Model) copy(pairs ...[2]vk.Span) error {
	c, err := m.device.NewCommands()
	if err != nil {
		return err
	}
	defer c.Close()
	for _, p := range pairs {
		c.Copy(p[0], p[1])
	}
	if err := c.End(); err != nil {
		return err
	}
	pending, err := m.device.Submit(c)
	if err != nil {
		return err
	}
	return pending.Wait()
}

// recording returns a program bound to this state.
func (s *State) recording(program *graph.Program) (*graph.Recording, error) {
	if s.recorded == nil {
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
	if s.buffer != nil {
		slots[stateSlot] = s.buffer.Whole()
	}
	for l := range s.cache {
		slots[keysSlot(l)], slots[valuesSlot(l)] = s.cache[l].keys, s.cache[l].values
	}
	return graph.Spans{Arena: s.model.arena.Whole(), Slots: slots}
}
