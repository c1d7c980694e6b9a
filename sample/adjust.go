package sample

import (
	"errors"
	"fmt"
	"math"
)

// A Constraint says which tokens may come next in one sequence.
type Constraint interface {
	// Allowed sets allow[id] to whether the token may come next, for every id that allow has:
	// to true for end tokens, too, where the text may end.
	Allowed(allow []bool) error
	// Accept takes the token that was chosen. One that may not come next is an error and changes nothing.
	Accept(id int32) error
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// adjust applies what changes the logits of single tokens.
func (s *Sampler) adjust(recent []int32) {
	for id, b := range s.o.Bias {
		if c := s.find(id); c != nil {
			c.value += float64(b)
			c.moved = true
		}
	}
	s.penalize(recent)
	for id, n := range s.counts {
		if c := s.find(id); c != nil {
			c.value -= s.o.PresencePenalty + float64(n)*s.o.FrequencyPenalty
			c.moved = true
		}
	}
}

// onlyLowers says whether nothing that adjust does raises a token above another.
func (o Options) onlyLowers() bool {
	if 0 < o.RepeatPenalty && o.RepeatPenalty < 1 || o.PresencePenalty < 0 || o.FrequencyPenalty < 0 {
		return false
	}
	for _, b := range o.Bias {
		if b > 0 {
			return false
		}
	}
	return true
}

// mask takes away the candidates that the constraint does not allow, among n ids.
func (s *Sampler) mask(n int) error {
	if s.o.Constraint == nil {
		return nil
	}
	if !s.asked || len(s.allow) < n {
		if cap(s.allow) < n {
			s.allow = make([]bool, n)
		}
		s.allow = s.allow[:n]
		if err := s.o.Constraint.Allowed(s.allow); err != nil {
			return err
		}
		s.asked = true
	}
	for i := range s.list {
		if c := &s.list[i]; !s.allow[c.id] {
			c.value, c.moved = math.Inf(-1), true
		}
	}
	return nil
}

// took counts a token that was chosen, and tells the constraint.
func (s *Sampler) took(id int32) error {
	if s.o.Constraint != nil {
		s.asked = false
		if err := s.o.Constraint.Accept(id); err != nil {
			return err
		}
	}
	if s.o.PresencePenalty != 0 || s.o.FrequencyPenalty != 0 {
		if s.counts == nil {
			s.counts = map[int32]int{}
		}
		s.counts[id]++
	}
	return nil
}

// noneLeft is the error where nothing can be chosen.
func (s *Sampler) noneLeft() error {
	if s.o.Constraint != nil || len(s.o.Bias) > 0 {
		return errors.New("sample: no token that may come next has a logit above -Inf")
	}
	return fmt.Errorf("sample: all %d logits are -Inf", len(s.list))
}

// penalizes says whether there is a repeat penalty.
func (o Options) penalizes() bool { return o.RepeatPenalty != 0 && o.RepeatPenalty != 1 }

// window is the part of the tokens so far that the penalty sees.
func (o Options) window(recent []int32) []int32 {
	last := o.RepeatLast
	if last == 0 {
		last = DefaultRepeatLast
	}
	if last > 0 && last < len(recent) {
		recent = recent[len(recent)-last:]
	}
	return recent
}

// penalize applies the repeat penalty, once to a token however often it stands in the window.
func (s *Sampler) penalize(recent []int32) {
	if !s.o.penalizes() {
		return
	}
	for _, id := range s.o.window(recent) {
		c := s.find(id)
		if c == nil || c.penalized {
			continue
		}
		c.penalized, c.moved = true, true
		if c.value > 0 {
			c.value /= s.o.RepeatPenalty
		} else {
			c.value *= s.o.RepeatPenalty
		}
	}
}
