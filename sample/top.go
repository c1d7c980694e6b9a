package sample

import (
	"cmp"
	"math"
	"slices"
)

// A Choice is a token and its logit.
type Choice struct {
	ID    int32
	Logit float32
}

// SampleTop is Sample for a caller who knows only the highest logits, of equals those of the lowest
// ids: top has them in any order and is sorted by id. It makes the choice that Sample would make of
// all logits; ok is false when that depends on logits that are not among them, and where Sample
// would return an error.
func (s *Sampler) SampleTop(top []Choice, recent []int32) (id int32, ok bool) {
	slices.SortFunc(top, func(a, b Choice) int { return cmp.Compare(a.ID, b.ID) })
	s.list = s.list[:0]
	lowest := math.Inf(1)
	for _, c := range top {
		if !(c.Logit <= math.MaxFloat32) {
			return 0, false
		}
		lowest = min(lowest, float64(c.Logit))
		if s.o.Vocab == 0 || int(c.ID) < s.o.Vocab {
			s.list = append(s.list, candidate{value: float64(c.Logit), id: c.ID})
		}
	}
	if len(s.list) == 0 || !s.o.onlyLowers() { // a token from far below may rise
		return 0, false
	}
	s.adjust(recent)
	if s.mask(s.ids(top)) != nil {
		return 0, false
	}
	// Tokens that moved down leave their places to others, maybe from below.
	n := 0
	for _, c := range s.list {
		if !c.moved {
			n++
		}
	}
	if n == 0 || !s.enough(n, lowest) {
		return 0, false
	}
	id, err := s.choose()
	return id, err == nil && s.took(id) == nil
}

// ids is how many ids the constraint is asked about: those of the vocabulary, or where that is not known up to the
// last of the candidates.
func (s *Sampler) ids(top []Choice) int {
	if s.o.Vocab > 0 {
		return s.o.Vocab
	}
	return int(top[len(top)-1].ID) + 1
}

// enough says whether the choice is among the candidates, when n of them are in their places and no
// other token has a logit above lowest.
func (s *Sampler) enough(n int, lowest float64) bool {
	switch {
	case s.o.Temperature == 0:
		return n >= 1
	case s.o.TopK > 0:
		return n >= s.o.TopK
	case 0 < s.o.TopP && s.o.TopP < 1 || s.o.MinP == 0:
		return false
	}
	// Whatever is not among the candidates is too unlikely for min-p, by more than exp is off.
	return exp((lowest-s.best().value)/s.o.Temperature) < s.o.MinP*(1-1e-9)
}
