// Package sample chooses the next token from a model's logits.
//
// The order is llama.cpp's and Hugging Face's: bias, repeat penalty, presence and frequency penalty,
// what a constraint allows, temperature, top-k, top-p, min-p, then one draw among what is left.
// Wherever logits tie, the lower id goes first.
package sample

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// DefaultRepeatLast is the penalty's window in tokens when [Options.RepeatLast] is 0.
const DefaultRepeatLast = 64

// Options says how to choose. The zero value takes the most likely token.
type Options struct {
	// Temperature divides the logits; 0 takes the token with the highest logit, the lowest id of
	// equals, whatever TopK, TopP and MinP say.
	Temperature float64
	// TopK keeps the K tokens with the highest logits; 0 keeps all.
	TopK int
	// TopP keeps the most likely tokens up to and including the one with which their
	// probabilities first add up to P or more; 0 and 1 keep all.
	TopP float64
	// MinP keeps the tokens at least P times as likely as the most likely one; 0 keeps all.
	MinP float64
	// RepeatPenalty divides the positive and multiplies the other logits of recent tokens, once
	// per token; 0 and 1 change nothing, values below 1 favour repetition.
	RepeatPenalty float64
	// RepeatLast is how many of the recent tokens the penalty sees; 0 is [DefaultRepeatLast], -1
	// is all of them.
	RepeatLast int
	// PresencePenalty is taken from the logit of every token that the sampler chose before, and
	// FrequencyPenalty as many times as it chose it; those below 0 favour repetition. Tokens of a
	// prompt do not count.
	PresencePenalty, FrequencyPenalty float64
	// Bias is added to the logits of the ids that it has; -Inf is never chosen. Ids without a logit
	// are passed over.
	Bias map[int32]float32
	// Constraint says which tokens may come next; nil allows all.
	Constraint Constraint
	// Seed makes a sequence of choices repeatable.
	Seed uint64
	// Vocab is the number of ids that are tokens: logits beyond belong to padding and are not
	// looked at. 0 takes every logit for a token.
	Vocab int
}

// Validate returns an error naming the first option out of range.
func (o Options) Validate() error {
	switch {
	case !(o.Temperature >= 0) || math.IsInf(o.Temperature, 0):
		return fmt.Errorf("sample: temperature %v is not 0 or more", o.Temperature)
	case o.TopK < 0:
		return fmt.Errorf("sample: top-k %d is negative", o.TopK)
	case !(o.TopP >= 0 && o.TopP <= 1):
		return fmt.Errorf("sample: top-p %v is not between 0 and 1", o.TopP)
	case !(o.MinP >= 0 && o.MinP <= 1):
		return fmt.Errorf("sample: min-p %v is not between 0 and 1", o.MinP)
	case o.RepeatPenalty != 0 && !(o.RepeatPenalty >= 0.01 && o.RepeatPenalty <= 100):
		return fmt.Errorf("sample: repeat penalty %v is neither 0 nor between 0.01 and 100", o.RepeatPenalty)
	case o.RepeatLast < -1:
		return fmt.Errorf("sample: repeat window %d is not -1 or more", o.RepeatLast)
	case !finite(o.PresencePenalty):
		return fmt.Errorf("sample: presence penalty %v is no finite number", o.PresencePenalty)
	case !finite(o.FrequencyPenalty):
		return fmt.Errorf("sample: frequency penalty %v is no finite number", o.FrequencyPenalty)
	case o.Vocab < 0:
		return fmt.Errorf("sample: vocabulary of %d tokens is negative", o.Vocab)
	}
	for id, b := range o.Bias {
		if !(b <= math.MaxFloat32) {
			return fmt.Errorf("sample: bias %v of token %d is neither a number nor -Inf", b, id)
		}
	}
	return nil
}

// Sampler makes a sequence of choices. It is for one goroutine at a time.
type Sampler struct {
	o    Options
	pcg  *rand.PCG
	rng  *rand.Rand
	list []candidate

	counts map[int32]int // how often each token was chosen, where a penalty asks
	allow  []bool        // by id, what the constraint allows
	asked  bool          // allow is that of the next choice
}

// candidate is a token that may be chosen.
type candidate struct {
	value     float64 // the logit, after softmax the weight
	id        int32
	penalized bool // by the repeat penalty
	moved     bool // the value is no longer the model's
}

// before is the order of choice: the higher value, of equals the lower id.
func (a candidate) before(b candidate) bool {
	return a.value > b.value || a.value == b.value && a.id < b.id
}

func byID(a, b candidate) int { return cmp.Compare(a.id, b.id) }

// New returns a sampler at the beginning of the sequence that its seed stands for.
func New(o Options) (*Sampler, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	pcg := rand.NewPCG(o.Seed, 0)
	return &Sampler{o: o, pcg: pcg, rng: rand.New(pcg)}, nil
}

// SetPosition sets where in the sequence of choices the sampler stands, so that a choice depends on the seed
// and its position alone: a sequence that is interrupted goes on as if it had not been.
func (s *Sampler) SetPosition(position int64) {
	s.pcg.Seed(s.o.Seed, mix(uint64(position)))
}

// mix is the finalizer of SplitMix64: neighbouring numbers become unlike ones.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Sample returns the id chosen from logits, one per id, which it leaves as they are. recent are
// the tokens so far, oldest first, for the repeat penalty; those without a logit are passed over.
// A logit of -Inf is never chosen. NaN, +Inf, no logits, none above -Inf, or none that the constraint
// allows are errors. The token counts for the penalties of later choices, and the constraint has accepted it.
func (s *Sampler) Sample(logits []float32, recent []int32) (int32, error) {
	if s.o.Vocab > 0 && s.o.Vocab < len(logits) {
		logits = logits[:s.o.Vocab]
	}
	if err := s.load(logits); err != nil {
		return 0, err
	}
	s.adjust(recent)
	if err := s.mask(len(logits)); err != nil {
		return 0, err
	}
	id, err := s.choose()
	if err == nil {
		err = s.took(id)
	}
	return id, err
}

// choose takes one of the candidates, which are in the order of their ids.
func (s *Sampler) choose() (int32, error) {
	best := s.best()
	if math.IsInf(best.value, -1) {
		return 0, s.noneLeft()
	}
	if s.o.Temperature == 0 {
		return best.id, nil
	}
	list := s.list
	if s.o.TopK > 0 {
		list = topK(list, s.o.TopK)
		slices.SortFunc(list, byID) // what is drawn does not depend on how they were selected
	}
	total := softmax(list, best.value, s.o.Temperature)
	if 0 < s.o.TopP && s.o.TopP < 1 {
		list, total = topP(list, s.o.TopP, total)
	}
	if s.o.MinP > 0 {
		list, total = atLeast(list, s.o.MinP) // the highest weight is 1
	}
	return draw(list, s.rng.Float64()*total), nil
}

// load makes the logits the candidates, in the order of their ids.
func (s *Sampler) load(logits []float32) error {
	if len(logits) == 0 {
		return errors.New("sample: no logits")
	}
	if cap(s.list) < len(logits) {
		s.list = make([]candidate, len(logits))
	}
	s.list = s.list[:len(logits)]
	for i, l := range logits {
		if !(l <= math.MaxFloat32) {
			return fmt.Errorf("sample: the logit of token %d is %v", i, l)
		}
		s.list[i] = candidate{value: float64(l), id: int32(i)}
	}
	return nil
}

// find returns the candidate of an id, nil when there is none.
func (s *Sampler) find(id int32) *candidate {
	at := int(id)
	if len(s.list) > 0 && int(s.list[len(s.list)-1].id) != len(s.list)-1 { // some ids are left out
		at, _ = slices.BinarySearchFunc(s.list, candidate{id: id}, byID)
	}
	if at < 0 || at >= len(s.list) || s.list[at].id != id {
		return nil
	}
	return &s.list[at]
}

// best returns the first candidate in the order of choice.
func (s *Sampler) best() candidate {
	best := s.list[0]
	for _, c := range s.list[1:] {
		if c.value > best.value {
			best = c
		}
	}
	return best
}
