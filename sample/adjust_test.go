package sample

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// remainders is a constraint: the remainder of an id is how many tokens there are so far.
type remainders struct {
	modulus  int32
	accepted []int32
	asked    int
}

func (r *remainders) allows(id int32) bool { return id%r.modulus == int32(len(r.accepted))%r.modulus }

func (r *remainders) Allowed(allow []bool) error {
	r.asked++
	for id := range allow {
		allow[id] = r.allows(int32(id))
	}
	return nil
}

func (r *remainders) Accept(id int32) error {
	if !r.allows(id) {
		return fmt.Errorf("%d after %d", id, r.accepted)
	}
	r.accepted = append(r.accepted, id)
	return nil
}

// TestPenaltiesCountWhatWasChosen: the greedy choice goes to the next token once the penalties of the ones before
// outweigh their logits.
func TestPenaltiesCountWhatWasChosen(t *testing.T) {
	for _, test := range []struct {
		name string
		o    Options
		want []int32 // of the logits 5, 4 and 2.5
	}{
		{"presence counts once", Options{PresencePenalty: 1.5}, []int32{0, 1, 0, 0, 0}},
		{"frequency counts every time", Options{FrequencyPenalty: 1.5}, []int32{0, 1, 0, 1, 2}},
		{"both", Options{PresencePenalty: 1, FrequencyPenalty: 1}, []int32{0, 1, 0, 2, 0}},
		{"below 0 favours", Options{FrequencyPenalty: -1, Bias: map[int32]float32{2: 3}}, []int32{2, 2, 2, 2, 2}},
		{"not what was there before", Options{PresencePenalty: 3, RepeatPenalty: 1}, []int32{0, 1, 2, 0, 0}},
	} {
		s := newSampler(t, test.o)
		var got []int32
		for range test.want {
			id, err := s.Sample([]float32{5, 4, 2.5}, []int32{0, 0, 0})
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, id)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

func TestBias(t *testing.T) {
	logits := []float32{5, 4, 3}
	for _, test := range []struct {
		bias map[int32]float32
		want int32
	}{
		{nil, 0},
		{map[int32]float32{0: -100}, 1},
		{map[int32]float32{2: 100}, 2},
		{map[int32]float32{0: -inf, 1: -inf}, 2},
		{map[int32]float32{1: 1}, 0}, // a tie
		{map[int32]float32{-1: 100, 3: 100}, 0},
	} {
		s := newSampler(t, Options{Bias: test.bias})
		if got, err := s.Sample(logits, nil); got != test.want || err != nil {
			t.Errorf("bias %v: got %d (%v), want %d", test.bias, got, err, test.want)
		}
	}
	s := newSampler(t, Options{Bias: map[int32]float32{0: -inf, 1: -inf, 2: -inf}})
	if _, err := s.Sample(logits, nil); err == nil || err.Error() != "sample: no token that may come next has a logit above -Inf" {
		t.Errorf("nothing left: %v", err)
	}
}

// TestConstraint: only tokens that are allowed come, at any temperature, and each is accepted once and asked for once.
func TestConstraint(t *testing.T) {
	logits := randomLogits(1000, 6)
	for _, temperature := range []float64{0, 1} {
		r := &remainders{modulus: 7}
		s := newSampler(t, Options{Temperature: temperature, Constraint: r})
		var got []int32
		for range 50 {
			decides := temperature == 0 && r.allows(998)
			if _, ok := s.SampleTop([]Choice{{ID: 998, Logit: 0}}, nil); ok != decides {
				t.Fatalf("temperature %v, choice %d: decided %v", temperature, len(got), ok)
			} else if ok {
				got = append(got, 998)
				continue
			}
			id, err := s.Sample(logits, nil)
			if err != nil || id%7 != int32(len(got))%7 {
				t.Fatalf("choice %d is %d (%v)", len(got), id, err)
			}
			got = append(got, id)
		}
		if !slices.Equal(r.accepted, got) {
			t.Errorf("accepted %v of %v", r.accepted, got)
		}
	}
}

// TestConstraintIsAskedOnce: what SampleTop asked for serves the Sample after it.
func TestConstraintIsAskedOnce(t *testing.T) {
	r := &remainders{modulus: 3}
	s := newSampler(t, Options{Constraint: r, Vocab: 4})
	if _, ok := s.SampleTop([]Choice{{ID: 1, Logit: 9}}, nil); ok {
		t.Fatal("a token decided that may not come")
	}
	if id, err := s.Sample([]float32{1, 9, 9, 2}, nil); id != 3 || err != nil || r.asked != 1 {
		t.Errorf("got %d (%v), asked %d times", id, err, r.asked)
	}
}

// refusal is a constraint that fails.
type refusal struct{ allowed, accept error }

func (r refusal) Allowed(allow []bool) error {
	for i := range allow {
		allow[i] = true
	}
	return r.allowed
}
func (r refusal) Accept(int32) error { return r.accept }

func TestConstraintFails(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []Constraint{refusal{allowed: broken}, refusal{accept: broken}} {
		s := newSampler(t, Options{Constraint: c})
		if _, ok := s.SampleTop([]Choice{{ID: 0, Logit: 1}}, nil); ok {
			t.Errorf("%+v: the highest decided", c)
		}
		if _, err := s.Sample([]float32{1, 2}, nil); !errors.Is(err, broken) {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}
