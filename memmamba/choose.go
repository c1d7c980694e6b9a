package memmamba

import (
	"encoding/binary"
	"math"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/quant"
	"github.com/mmrun/mmrun/sample"
	"github.com/mmrun/mmrun/vk"
)

// underway is what a model has not waited for: the submission after which the device holds a state's
// logits, and maybe the highest of them for a choice. Everything that needs the state, its logits or
// the buffers between host and device settles it first.
type underway struct {
	state   *State
	pending vk.Pending
	chosen  bool
}

// wait waits until the device is done.
func (u underway) wait() error {
	if u.state == nil {
		return nil
	}
	return u.pending.Wait()
}

// start submits the program r that makes a state's logits, after first unless that is nil, and with choose
// the one that finds the highest, all in one submission.
func (m *Model) start(s *State, choose bool, first, r *graph.Recording) error {
	var last *graph.Recording
	if choose && m.programs.choose != nil {
		var err error
		if last, err = m.programs.shared(m.programs.choose, m.arena.Whole(), 0); err != nil {
			return err
		}
	}
	pending, err := graph.Submit(first, r, last)
	if err == nil {
		m.underway = underway{s, pending, last != nil}
	}
	return err
}

// step starts one token of a sequence. Nothing is under way.
func (m *Model) step(s *State, token []int32, choose bool) error {
	_, err := m.feed(s, token, func(first *graph.Recording) error {
		r, err := s.recording(m.programs.step)
		if err != nil {
			return err
		}
		return m.start(s, choose, first, r)
	}, 1)
	return err
}

// settle waits for what is under way and takes its logits to its state.
func (m *Model) settle() error {
	s := m.underway.state
	if s == nil {
		return nil
	}
	err := m.underway.wait()
	m.underway = underway{}
	if err != nil {
		return err
	}
	return m.fetchLogits(s)
}

// fetchLogits brings the logits of the last token to the host.
func (m *Model) fetchLogits(s *State) error {
	if m.programs.fetch != nil {
		r, err := m.programs.shared(m.programs.fetch, m.arena.Whole(), 0)
		if err == nil {
			err = r.Run()
		}
		if err != nil {
			return err
		}
	}
	return m.readLogits(s, 1)
}

// readLogits copies n rows of logits from the host's side, where rows are padded.
func (m *Model) readLogits(s *State, n int) error {
	vocab := m.config.VocabSize
	if cap(s.logits) < n*vocab {
		s.logits = make([]float32, n*vocab)
	}
	s.logits = s.logits[:n*vocab]
	for i := range n {
		if err := m.programs.readRow(s.logits[i*vocab:(i+1)*vocab], i); err != nil {
			return err
		}
	}
	return nil
}

// readRow copies a row of logits from the host's side.
func (p *programs) readRow(logits []float32, row int) error {
	from := 4 * row * ops.Padded(len(logits))
	return quant.F32.Dequantize(logits, p.spans[logitsSlot+hostSide].Buffer.Mapped()[from:from+4*len(logits)])
}

// choose returns the next token of a sequence. It reads all logits only when the highest do not
// decide.
func (m *Model) choose(s *State, sampler *sample.Sampler, room []sample.Choice) (int32, error) {
	sampler.SetPosition(s.position)
	if m.underway.state == s && m.underway.chosen {
		if err := m.underway.wait(); err != nil {
			return 0, err
		}
		if id, ok := sampler.SampleTop(m.programs.choices(room, 0), s.recent); ok {
			return id, nil
		}
	}
	logits, err := s.Logits()
	if err != nil {
		return 0, err
	}
	return sampler.Sample(logits, s.recent)
}

// choices reads what the device chose of a row of logits.
func (p *programs) choices(room []sample.Choice, row int) []sample.Choice {
	data := p.spans[choicesSlot+hostSide].Buffer.Mapped()[8*ops.MaxTop*row:]
	for i := range room {
		room[i] = sample.Choice{
			ID:    int32(binary.LittleEndian.Uint32(data[4*i:])),
			Logit: math.Float32frombits(binary.LittleEndian.Uint32(data[4*(i+ops.MaxTop):])),
		}
	}
	return room
}
