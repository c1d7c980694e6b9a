package engine

import (
	"slices"
	"time"
)

// step starts the next step of all running sequences.
func (s *worker) step() error {
	running := slices.Clone(s.batch.active)
	err := s.batch.feed()
	for _, q := range running {
		if q.err != nil { // it has left
			q.job.end(q.err)
		}
	}
	if err != nil || len(s.batch.active) == 0 {
		s.settled = time.Time{}
		return err
	}
	s.mu.Lock()
	s.stats.Steps++
	s.mu.Unlock()
	return nil
}

// settle waits for the step under way, hands its tokens out and shows what is to be shown of its sequences.
func (s *worker) settle() error {
	if len(s.batch.fed) == 0 {
		return nil
	}
	if err := s.waitRead(); err != nil {
		return err
	}
	fed := slices.Clone(s.batch.fed)
	if err := s.batch.settle(); err != nil {
		return err
	}
	s.settled = time.Now()
	for _, q := range fed {
		if q == nil {
			continue
		}
		if err := s.hand(q); err != nil {
			return err
		}
	}
	return nil
}

// waitRead waits for what was read behind the last step. What running sequences have waited for it is the time
// since that step.
func (s *worker) waitRead() error {
	if !s.waits {
		return nil
	}
	s.waits = false
	if err := s.behind.Wait(); err != nil {
		return s.batch.fail(err)
	}
	if len(s.batch.active) > 0 && !s.settled.IsZero() {
		s.mu.Lock()
		s.stats.LongestWait = max(s.stats.LongestWait, time.Since(s.settled))
		s.mu.Unlock()
	}
	return nil
}

// hand deals with one sequence after a step.
func (s *worker) hand(q *sequence) error {
	j := q.job
	if j.Every > 0 && q.position%int64(j.Every) == 0 {
		if err := s.show(q, nil, j.Checkpoint); err != nil {
			return err
		}
	}
	if q.err != nil {
		s.batch.leave(q)
		j.end(q.err)
		return nil
	}
	how := over
	if !q.last {
		var err error
		how, err = s.emit(j, q.Token, q.position, func() ([]float32, error) {
			return s.batch.logits, s.batch.readLogits(q, s.batch.logits)
		})
		if err != nil {
			return err
		}
	}
	q.last = how == overOnceFed
	if how == goesOn || q.last {
		return nil
	}
	if j.End != nil {
		var next []int32
		if how == overUnfed {
			next = []int32{q.Token}
		}
		if err := s.show(q, next, j.End); err != nil {
			return err
		}
	}
	s.batch.leave(q)
	j.end(nil)
	return nil
}

// show has a function of a request's look at a running sequence, with a token that is not fed or none.
func (s *worker) show(q *sequence, next []int32, f func(*State)) (err error) {
	if s.scratch == nil {
		if s.scratch, err = s.model.newState(); err != nil {
			return err
		}
	}
	if err := s.batch.giveState(q, s.scratch); err != nil {
		return err
	}
	s.scratch.next = append(s.scratch.next, next...)
	return s.look(func() { f(s.scratch) })
}

// A fate is what becomes of a text after a token.
type fate int

const (
	goesOn      fate = iota
	over             // at its end
	overOnceFed      // at its end; somebody wants the sequence with its last token
	overUnfed        // the same, and the model takes no more
)

// emit hands a token, chosen at a position, to a request's reader.
func (s *worker) emit(j *job, token int32, position int64, logits func() ([]float32, error)) (fate, error) {
	one := Token{ID: token, Stopped: slices.Contains(j.stops, token)}
	if j.LogProbs >= 0 {
		all, err := logits()
		if err != nil {
			return over, err
		}
		one.LogProb, one.Top = logProbs(all, token, j.LogProbs, j.Options.Sample.Vocab)
	}
	j.left--
	full := position >= s.model.sizes.MaxTokens
	ends := !one.Stopped && (j.Until != nil && j.Until(token) || j.left == 0 || full)
	j.stream.put(one)
	s.mu.Lock()
	s.stats.Generated++
	s.mu.Unlock()
	switch {
	case !ends && !one.Stopped:
		return goesOn, nil
	case one.Stopped || j.End == nil:
		return over, nil
	case full:
		return overUnfed, nil
	}
	return overOnceFed, nil
}
