package engine

import (
	"errors"
	"slices"
	"time"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/vk"
)

// begin gives a request a place.
func (s *worker) begin(j *job) error {
	l, err := s.lanes.take()
	if err != nil {
		return s.alone(j, err)
	}
	j.lane = l
	if err := l.begin(j.Request, j.saved); err != nil {
		return s.alone(j, err)
	}
	j.stream.begin(len(l.tokens))
	if len(l.tokens) > 0 {
		j.plan()
		if j.ScorePrompt && j.ahead() == 0 && len(l.state.logits) > 0 {
			j.score(l.state.logits, 0)
		}
		s.reading = append(s.reading, j)
		return nil
	}
	return s.start(j)
}

// alone ends a request of which something failed. That of the device is everybody's.
func (s *worker) alone(j *job, err error) error {
	if j.lane != nil {
		s.drop(j, err)
	} else {
		j.end(err)
	}
	if errors.Is(err, vk.ErrDeviceLost) || s.batch.failed != nil {
		return s.batch.fail(err)
	}
	return nil
}

// drop ends a request whose prompt was read, with nothing of it under way.
func (s *worker) drop(j *job, err error) {
	s.lanes.give(j.lane)
	j.lane = nil
	j.end(err)
}

// readOn submits what is read before the next step is done: passes of the requests in turn, as far as the time
// goes. Where no sequence runs, nobody waits.
func (s *worker) readOn() error {
	within := s.o.MaxWait
	if len(s.batch.fed) == 0 {
		within = max(within, DefaultMaxWait)
	}
	return help(within, s.readSome)
}

// help calls some again and again, with what is left of a time and how many pieces it is to do whatever they take, until it
// does none: the first piece is always done, and none that goes beyond the time after it.
func help(within time.Duration, some func(left time.Duration, least int) (time.Duration, error)) error {
	for least := 1; within > 0 || least > 0; least = 0 {
		takes, err := some(within, least)
		if err != nil || takes == 0 {
			return err
		}
		within -= takes
	}
	return nil
}

// readSome submits what is next of the prompts, as far as a time goes, at least so many pieces. It returns how long
// that is thought to take, nothing when the helping ends here.
func (s *worker) readSome(left time.Duration, least int) (time.Duration, error) {
	if s.current == nil {
		ok, err := s.nextPass()
		if err != nil || !ok {
			return 0, err
		}
	}
	pending, takes, err := s.pass.Next(left, least)
	if err != nil {
		return 0, s.batch.fail(err)
	}
	if takes == 0 {
		return 0, nil
	}
	s.behind, s.waits = pending, true
	if !s.pass.Done() {
		return takes, nil
	}
	j := s.current
	s.read, s.current, s.pass = append(s.read, j), nil, nil
	if j.ScorePrompt { // nothing may come between the pass and what reads its residual
		return 0, nil
	}
	return takes, nil
}

// nextPass makes the pass of the next request in turn the current one, if there is any.
func (s *worker) nextPass() (bool, error) {
	for len(s.reading) > 0 {
		j := s.reading[0]
		s.reading = slices.Delete(s.reading, 0, 1)
		most, err := s.most(j.lane)
		var pass *graph.Slices
		if err == nil {
			pass, err = j.lane.next(j.cuts[0], most, j.Options.MaxTokens > 0)
		}
		if err == nil {
			s.current, s.pass = j, pass
			return true, nil
		}
		if err := s.alone(j, err); err != nil {
			return false, err
		}
	}
	return false, nil
}

// most bounds the tokens of a pass while others wait, where that changes no bit: its longest kernel, which nothing
// can interrupt, is to fit the wait. 0 is as many as there are.
func (s *worker) most(l *lane) (int, error) {
	m := s.model
	cut, tokens := m.CutTokens(), m.programs.passTokens
	if cut == 0 || len(s.batch.fed) == 0 {
		return 0, nil
	}
	program, err := m.prompt(tokens)
	if err != nil {
		return 0, err
	}
	longest := program.Longest(m.device.Pace(), l.state.position)
	for longest > s.o.MaxWait && tokens/2 >= max(cut, shortTokens[0]) {
		tokens, longest = tokens/2, longest/2
	}
	return tokens / cut * cut, nil
}

// finishPasses deals with passes that are submitted whole. It waits for them, and where no sequence runs for
// whatever is under way.
func (s *worker) finishPasses() error {
	if len(s.read) > 0 || len(s.batch.active) == 0 {
		if err := s.waitRead(); err != nil {
			return err
		}
	}
	for len(s.read) > 0 {
		j := s.read[0]
		more, err := s.finishPass(j)
		if err != nil {
			return err
		}
		s.read = slices.Delete(s.read, 0, 1)
		if j.lane == nil || s.current == j { // it is read, or its pass is still to be scored
			continue
		}
		if more {
			s.reading = append(s.reading, j)
		} else if err := s.start(j); err != nil {
			return err
		}
	}
	return nil
}

// finishPass deals with a pass that has run. more says that tokens are left.
func (s *worker) finishPass(j *job) (more bool, err error) {
	l := j.lane
	if j.ScorePrompt {
		if again, err := s.score(j); err != nil || again {
			return true, err
		}
	} else {
		l.passed()
	}
	s.mu.Lock()
	s.stats.Prompt += int64(l.pass.Tokens)
	s.mu.Unlock()
	if j.Options.Progress != nil {
		j.Options.Progress(l.done, len(l.tokens))
	}
	more = l.done < len(l.tokens)
	if l.done < j.cuts[0] {
		return more, nil
	}
	j.cuts = j.cuts[1:]
	if !j.shows(l.state.position, l.done) {
		return more, nil
	}
	if err := l.fetchLogits(); err != nil {
		return more, s.batch.fail(err)
	}
	return more, s.look(func() { j.Checkpoint(l.state) })
}

// score scores a block of a pass's tokens. again says that the next block is to be computed first.
func (s *worker) score(j *job) (again bool, err error) {
	l := j.lane
	if j.block == 0 {
		l.passed()
		if l.pass.Last { // before rows of logits take their place
			if err := l.fetchLogits(); err != nil {
				return false, s.batch.fail(err)
			}
		}
	} else if err := l.scoreRows(j, j.block-1); err != nil {
		return false, err
	}
	if l.pass.Step { // there is but its own
		return false, nil
	}
	if j.block*l.model.programs.rowsBlock >= l.pass.Tokens {
		j.block = 0
		return false, nil
	}
	if s.pass, err = l.rows(j.block); err != nil {
		return false, s.batch.fail(err)
	}
	s.current = j
	j.block++
	return true, nil
}

// start goes on with a request whose prompt is read: with its first token, unless none is wanted.
func (s *worker) start(j *job) error {
	l, how := j.lane, over
	q := &sequence{sampler: j.sampler, job: j}
	if j.Options.MaxTokens > 0 {
		var err error
		if q.Token, err = l.chosen(j.sampler); err != nil {
			return s.alone(j, err)
		}
		logits := func() ([]float32, error) { return l.state.logits, l.fetchLogits() }
		if how, err = s.emit(j, q.Token, l.state.position, logits); err != nil {
			return s.alone(j, err)
		}
	}
	if how == goesOn || how == overOnceFed {
		q.last = how == overOnceFed
		if err := s.batch.enter(q, l.state); err != nil {
			return s.alone(j, err)
		}
		s.lanes.give(l)
		j.lane = nil
		return nil
	}
	if j.End != nil {
		if err := l.fetchLogits(); err != nil {
			return s.alone(j, err)
		}
		if how == overUnfed {
			l.state.next = append(l.state.next, q.Token)
		}
		if err := s.look(func() { j.End(l.state) }); err != nil {
			return s.alone(j, err)
		}
	}
	s.drop(j, nil)
	return nil
}
