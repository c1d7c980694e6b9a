package engine

import (
	"github.com/mmrun/mmrun/graph"
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
	return u.state.fail(u.pending.Wait())
}

// start submits the program r that makes a state's logits, after before unless that is nil, and with choose
// the one that finds the highest, all in one submission.
func (m *Model) start(s *State, choose bool, before, r *graph.Recording) error {
	var last *graph.Recording
	if choose && m.programs.choose != nil {
		var err error
		if last, err = m.programs.unbound(m.programs.choose, m.arena.Whole(), 0); err != nil {
			return err
		}
	}
	pending, err := graph.Submit(before, r, last)
	if err == nil {
		m.underway = underway{s, pending, last != nil}
	}
	return s.fail(err)
}

// startStep starts a single token's pass, for which all is set.
func (m *Model) startStep(s *State, choose bool, before *graph.Recording) error {
	r, err := s.recording(m.programs.step)
	if err != nil {
		return err
	}
	return m.start(s, choose, before, r.At(s.position))
}

// startHead starts what makes the logits of the last of a pass's n tokens.
func (m *Model) startHead(s *State, n int, choose bool) error {
	m.programs.setParams(n, s.position)
	r, err := m.programs.unbound(m.programs.head, m.arena.Whole(), 0)
	if err != nil {
		return err
	}
	return m.start(s, choose, nil, r)
}

// settle waits for what is under way and takes its logits to its state, which keeps an error if there is one:
// that is of no concern to a call for another state.
func (m *Model) settle() {
	s := m.underway.state
	if s == nil {
		return
	}
	err := m.underway.wait()
	m.underway = underway{}
	if err == nil {
		s.fail(m.fetchLogits(s))
	}
}

// fetchLogits brings the logits of the last token to the host.
func (m *Model) fetchLogits(s *State) error {
	if m.programs.fetch != nil {
		r, err := m.programs.unbound(m.programs.fetch, m.arena.Whole(), 0)
		if err == nil {
			err = r.Run()
		}
		if err != nil {
			return err
		}
	}
	return m.readLogits(s, 1)
}

// readLogits copies n rows of logits from the host's side to a state.
func (m *Model) readLogits(s *State, n int) error {
	vocab := m.sizes.Vocab
	if cap(s.logits) < n*vocab {
		s.logits = make([]float32, n*vocab)
	}
	s.logits = s.logits[:n*vocab]
	for i := range n {
		if err := m.programs.readLogits(s.logits[i*vocab:(i+1)*vocab], i); err != nil {
			return err
		}
	}
	return nil
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
	logits, err := m.logits(s)
	if err != nil {
		return 0, err
	}
	return sampler.Sample(logits, s.recent)
}
