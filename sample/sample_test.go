package sample

import (
	"math"
	"slices"
	"strings"
	"testing"
)

var (
	inf = float32(math.Inf(1))
	nan = float32(math.NaN())
)

// log returns logits whose softmax is in proportion to weights.
func log(weights ...float64) []float32 {
	out := make([]float32, len(weights))
	for i, w := range weights {
		out[i] = float32(math.Log(w))
	}
	return out
}

func newSampler(t testing.TB, o Options) *Sampler {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGreedy(t *testing.T) {
	tests := []struct {
		name   string
		o      Options
		logits []float32
		recent []int32
		want   int32
	}{
		{"highest", Options{}, []float32{1, 3, 2}, nil, 1},
		{"lowest id of a tie", Options{}, []float32{1, 3, 3, 3}, nil, 1},
		{"one", Options{}, []float32{-5}, nil, 0},
		{"minus infinity", Options{}, []float32{-inf, -1e30, -inf}, nil, 1},
		{"filters have no effect", Options{TopK: 1, TopP: 0.1, MinP: 1}, []float32{1, 2}, nil, 1},
		{"padding", Options{Vocab: 2}, []float32{1, 2, 9, nan}, nil, 1},
		{"vocabulary beyond the logits", Options{Vocab: 9}, []float32{1, 2}, nil, 1},
		{"penalty divides positive logits", Options{RepeatPenalty: 2}, []float32{1.5, 2.5}, []int32{1}, 0},
		{"penalty too small to matter", Options{RepeatPenalty: 1.5}, []float32{1.5, 2.5}, []int32{1}, 1},
		{"penalty multiplies negative logits", Options{RepeatPenalty: 2}, []float32{-1.5, -1}, []int32{1}, 0},
		{"penalty once per token", Options{RepeatPenalty: 1.5}, []float32{1.5, 2.5}, []int32{1, 1, 1}, 1},
		{"penalty below 1 favours", Options{RepeatPenalty: 0.5}, []float32{1.5, 2.5}, []int32{0}, 0},
		{"penalty makes a tie", Options{RepeatPenalty: 2}, []float32{1, 2}, []int32{1}, 0},
		{"window", Options{RepeatPenalty: 9, RepeatLast: 2}, []float32{1, 2, 3}, []int32{2, 1, 0}, 2},
		{"whole window", Options{RepeatPenalty: 9, RepeatLast: -1}, []float32{1, 2, 3}, []int32{2, 1, 0}, 2},
		{"window longer than the text", Options{RepeatPenalty: 9, RepeatLast: 9}, []float32{1, 2, 3}, []int32{2}, 1},
		{"ids without a logit", Options{RepeatPenalty: 9, Vocab: 2}, []float32{1, 2, 3}, []int32{-1, 2, 7}, 1},
	}
	for _, test := range tests {
		before := slices.Clone(test.logits)
		got, err := newSampler(t, test.o).Sample(test.logits, test.recent)
		if err != nil || got != test.want {
			t.Errorf("%s: got %d (%v), want %d", test.name, got, err, test.want)
		}
		for i := range before {
			if math.Float32bits(before[i]) != math.Float32bits(test.logits[i]) {
				t.Errorf("%s: logit %d changed from %v to %v", test.name, i, before[i], test.logits[i])
			}
		}
	}
}

func TestDefaultWindow(t *testing.T) {
	recent := slices.Repeat([]int32{2}, DefaultRepeatLast+1)
	recent[0] = 1
	s := newSampler(t, Options{RepeatPenalty: 9})
	if got, err := s.Sample([]float32{1, 2, 0}, recent); got != 1 || err != nil {
		t.Errorf("just outside the window: got %d (%v), want 1", got, err)
	}
	if got, err := s.Sample([]float32{1, 2, 0}, recent[:DefaultRepeatLast]); got != 0 || err != nil {
		t.Errorf("just inside the window: got %d (%v), want 0", got, err)
	}
}

// TestShares holds the distribution that is drawn from, computed by hand, against the frequencies
// of many draws.
func TestShares(t *testing.T) {
	tests := []struct {
		name   string
		o      Options
		logits []float32
		recent []int32
		want   []float64 // weights by id, in any unit
	}{
		{"plain", Options{Temperature: 1}, log(1, 2, 3, 4), nil, []float64{1, 2, 3, 4}},
		{"temperature 0.5 squares", Options{Temperature: 0.5}, log(1, 2, 3), nil, []float64{1, 4, 9}},
		{"temperature 2 takes roots", Options{Temperature: 2}, log(1, 4, 9), nil, []float64{1, 2, 3}},
		{"top-k", Options{Temperature: 1, TopK: 2}, log(1, 4, 2, 3), nil, []float64{0, 4, 0, 3}},
		{"top-k 1", Options{Temperature: 1, TopK: 1}, log(1, 4, 2, 3), nil, []float64{0, 1, 0, 0}},
		{"top-k of ties", Options{Temperature: 1, TopK: 2}, log(1, 1, 1, 1), nil, []float64{1, 1, 0, 0}},
		{"top-k beyond the vocabulary", Options{Temperature: 1, TopK: 99}, log(1, 2), nil, []float64{1, 2}},
		{"top-p ends inside", Options{Temperature: 1, TopP: 0.65}, log(1, 2, 3, 4), nil, []float64{0, 0, 3, 4}},
		{"top-p takes the one that crosses", Options{Temperature: 1, TopP: 0.75}, log(1, 2, 3, 4), nil, []float64{0, 2, 3, 4}},
		{"top-p small takes one", Options{Temperature: 1, TopP: 1e-9}, log(1, 2, 3, 4), nil, []float64{0, 0, 0, 1}},
		{"top-p 1 takes all", Options{Temperature: 1, TopP: 1}, log(1, 2, 3, 4), nil, []float64{1, 2, 3, 4}},
		{"top-p of ties", Options{Temperature: 1, TopP: 0.45}, log(1, 1, 1, 1), nil, []float64{1, 1, 0, 0}},
		{"min-p", Options{Temperature: 1, MinP: 0.6}, log(1, 2, 3, 4), nil, []float64{0, 0, 3, 4}},
		{"min-p 1 takes the ties at the top", Options{Temperature: 1, MinP: 1}, []float32{2, 1, 2}, nil, []float64{1, 0, 1}},
		// After top-k three weigh 4/9, 3/9 and 2/9, so two make 0.75; of all ten it takes three.
		{"top-p after top-k", Options{Temperature: 1, TopK: 3, TopP: 0.75}, log(1, 2, 3, 4), nil, []float64{0, 0, 3, 4}},
		{"min-p after temperature", Options{Temperature: 0.5, MinP: 0.6}, log(1, 2, 3, 4), nil, []float64{0, 0, 0, 1}},
		{"minus infinity", Options{Temperature: 1}, append(log(1, 3), -inf), nil, []float64{1, 3, 0}},
		// The logits ln 9 and ln 3: the penalty halves the first.
		{"penalty", Options{Temperature: 1, RepeatPenalty: 2}, log(9, 3), []int32{0}, []float64{1, 1}},
		{"padding", Options{Temperature: 1, Vocab: 2}, append(log(1, 3), 9, nan), nil, []float64{1, 3, 0, 0}},
		{"tiny temperature", Options{Temperature: 1e-300}, []float32{1, 2, 1.5}, nil, []float64{0, 1, 0}},
	}
	for _, test := range tests {
		const draws = 20000
		s := newSampler(t, test.o)
		counts := make([]float64, len(test.logits))
		for range draws {
			id, err := s.Sample(test.logits, test.recent)
			if err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
			counts[id]++
		}
		total := 0.0
		for _, w := range test.want {
			total += w
		}
		chi := 0.0
		for id, w := range test.want {
			expected := w / total * draws
			if expected == 0 {
				if counts[id] != 0 {
					t.Errorf("%s: id %d drawn %v times, want never", test.name, id, counts[id])
				}
				continue
			}
			chi += (counts[id] - expected) * (counts[id] - expected) / expected
		}
		// With at most 3 degrees of freedom 16.3 is exceeded once in a thousand; the seed is fixed.
		if chi > 16.3 {
			t.Errorf("%s: drawn %v, chi-square %.1f", test.name, counts, chi)
		}
	}
}

func TestSeed(t *testing.T) {
	logits := randomLogits(1000, 1)
	draw := func(seed uint64) []int32 {
		s := newSampler(t, Options{Temperature: 1, TopK: 50, TopP: 0.9, MinP: 0.01, RepeatPenalty: 1.1, Seed: seed})
		var out []int32
		for range 100 {
			id, err := s.Sample(logits, out)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, id)
		}
		return out
	}
	if !slices.Equal(draw(1), draw(1)) {
		t.Error("the same seed gave two sequences")
	}
	if slices.Equal(draw(1), draw(2)) {
		t.Error("two seeds gave the same sequence")
	}
}

func TestBadLogits(t *testing.T) {
	tests := []struct {
		logits []float32
		want   string
	}{
		{nil, "sample: no logits"},
		{[]float32{1, nan}, "sample: the logit of token 1 is NaN"},
		{[]float32{1, 2, inf}, "sample: the logit of token 2 is +Inf"},
		{[]float32{-inf, -inf}, "sample: all 2 logits are -Inf"},
	}
	for _, temperature := range []float64{0, 1} {
		s := newSampler(t, Options{Temperature: temperature, TopK: 1})
		for _, test := range tests {
			if id, err := s.Sample(test.logits, nil); err == nil || err.Error() != test.want {
				t.Errorf("%v: got %d (%v), want %s", test.logits, id, err, test.want)
			}
		}
		if id, err := s.Sample([]float32{1, 2}, nil); id != 1 || err != nil {
			t.Errorf("after errors: got %d (%v), want 1", id, err)
		}
	}
}

func TestValidate(t *testing.T) {
	bad := []struct {
		o    Options
		want string
	}{
		{Options{Temperature: -1}, "temperature -1"},
		{Options{Temperature: math.NaN()}, "temperature NaN"},
		{Options{Temperature: math.Inf(1)}, "temperature +Inf"},
		{Options{TopK: -1}, "top-k -1"},
		{Options{TopP: -0.1}, "top-p -0.1"},
		{Options{TopP: 1.1}, "top-p 1.1"},
		{Options{TopP: math.NaN()}, "top-p NaN"},
		{Options{MinP: -0.1}, "min-p -0.1"},
		{Options{MinP: 2}, "min-p 2"},
		{Options{MinP: math.NaN()}, "min-p NaN"},
		{Options{RepeatPenalty: -1}, "repeat penalty -1"},
		{Options{RepeatPenalty: 101}, "repeat penalty 101"},
		{Options{RepeatPenalty: math.NaN()}, "repeat penalty NaN"},
		{Options{RepeatLast: -2}, "repeat window -2"},
		{Options{Vocab: -1}, "vocabulary of -1"},
		{Options{PresencePenalty: math.NaN()}, "presence penalty NaN"},
		{Options{FrequencyPenalty: math.Inf(-1)}, "frequency penalty -Inf"},
		{Options{Bias: map[int32]float32{7: nan}}, "bias NaN of token 7"},
		{Options{Bias: map[int32]float32{7: inf}}, "bias +Inf of token 7"},
	}
	for _, test := range bad {
		s, err := New(test.o)
		if err == nil || !strings.Contains(err.Error(), test.want) || s != nil {
			t.Errorf("%+v: got %v, want an error with %q", test.o, err, test.want)
		}
	}
	for _, o := range []Options{{}, {Temperature: 1, TopK: 1, TopP: 1, MinP: 1, RepeatPenalty: 1, RepeatLast: -1, Vocab: 1}} {
		if err := o.Validate(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
