package sample

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// choices are the k highest logits, of equals those of the lowest ids, in no order.
func choices(t *rapid.T, logits []float32, k int) []Choice {
	all := make([]Choice, len(logits))
	for i, l := range logits {
		all[i] = Choice{int32(i), l}
	}
	slices.SortStableFunc(all, func(a, b Choice) int {
		switch {
		case a.Logit > b.Logit:
			return -1
		case a.Logit < b.Logit:
			return 1
		}
		return 0
	})
	top := all[:min(k, len(all))]
	shuffled := rapid.Permutation(top).Draw(t, "order")
	return shuffled
}

func drawOptions(t *rapid.T, vocab int) Options {
	pick := func(name string, values ...float64) float64 { return rapid.SampledFrom(values).Draw(t, name) }
	return Options{
		Temperature:   pick("temperature", 0, 0.1, 0.8, 1, 3),
		TopK:          rapid.SampledFrom([]int{0, 1, 2, 5, 40}).Draw(t, "top-k"),
		TopP:          pick("top-p", 0, 0.5, 0.95, 1),
		MinP:          pick("min-p", 0, 0.05, 0.5, 1),
		RepeatPenalty: pick("penalty", 0, 0.9, 1, 1.1, 2),
		RepeatLast:    rapid.SampledFrom([]int{0, 1, 5, -1}).Draw(t, "last"),
		Seed:          rapid.Uint64().Draw(t, "seed"),
		Vocab:         rapid.SampledFrom([]int{0, vocab - vocab/10, vocab}).Draw(t, "vocab"),

		PresencePenalty:  pick("presence", 0, 0, 0.5, 2, -1),
		FrequencyPenalty: pick("frequency", 0, 0, 0.25, 2, -1),
		Bias:             rapid.SampledFrom([]map[int32]float32{nil, nil, {0: -1, 3: -100}, {1: -inf, 5: -0.5, 999: 3}, {2: 4}}).Draw(t, "bias"),
	}
}

// TestSampleTopIsSample: whenever the highest logits decide, they decide as all of them do; and they do
// decide with the options most texts are written with.
func TestSampleTopIsSample(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Few values make ties, also between penalized and other tokens.
		values := rapid.SliceOfN(rapid.IntRange(-8, 8), 1, 120).Draw(t, "values")
		logits := make([]float32, len(values))
		for i, v := range values {
			if logits[i] = float32(v) / 2; v == -8 {
				logits[i] = -inf
			}
		}
		o := drawOptions(t, len(logits))
		recent := rapid.SliceOfN(rapid.Int32Range(-1, int32(len(logits))), 0, 30).Draw(t, "recent")
		top := choices(t, logits, rapid.IntRange(1, 80).Draw(t, "k"))
		modulus := rapid.SampledFrom([]int32{0, 0, 1, 2, 3}).Draw(t, "constraint")
		constrain := func(o Options) Options {
			if modulus > 0 {
				o.Constraint = &remainders{modulus: modulus}
			}
			return o
		}
		a, errA := New(constrain(o))
		b, errB := New(constrain(o))
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		for position := range int64(3) {
			a.SetPosition(position)
			b.SetPosition(position)
			got, ok := a.SampleTop(top, recent)
			want, err := b.Sample(logits, recent)
			if ok && (err != nil || got != want) {
				t.Fatalf("position %d: the highest give %d, all give %d (%v)", position, got, want, err)
			}
			if !ok { // the random numbers must still be those of this position
				if again, errAgain := a.Sample(logits, recent); again != want || (err == nil) != (errAgain == nil) {
					t.Fatalf("position %d: after the highest did not decide all give %d (%v), want %d (%v)", position, again, errAgain, want, err)
				}
			}
		}
	})
}

// TestSampleTopDecides: which options the highest 128 logits are enough for.
func TestSampleTopDecides(t *testing.T) {
	logits := randomLogits(50280, 5)
	order := make([]Choice, len(logits))
	for i, l := range logits {
		order[i] = Choice{int32(i), l}
	}
	slices.SortFunc(order, func(a, b Choice) int { return int(math.Copysign(1, float64(b.Logit-a.Logit))) })
	recent := make([]int32, DefaultRepeatLast)
	for i := range recent {
		recent[i] = order[i].ID
	}
	for _, test := range []struct {
		o    Options
		want bool
	}{
		{Options{}, true},
		{Options{RepeatPenalty: 1.1}, true},
		{Options{RepeatPenalty: 0.9}, false},
		{Options{Temperature: 0.8, TopK: 40, TopP: 0.95, MinP: 0.05}, true},
		{Options{Temperature: 0.8, TopK: 40, TopP: 0.95, MinP: 0.05, RepeatPenalty: 1.1}, true},
		{Options{Temperature: 0.8, TopK: 40, RepeatPenalty: 1.1, RepeatLast: -1, Vocab: 50277}, true},
		{Options{Temperature: 1, TopK: 65, RepeatPenalty: 1.1}, false},
		{Options{Temperature: 1, TopK: 129}, false},
		{Options{Temperature: 1}, false},
		{Options{Temperature: 1, TopP: 0.9, MinP: 0.5}, false},
		{Options{Temperature: 0.7, MinP: 0.05}, true},
		{Options{Temperature: 5, MinP: 0.05}, false},
		{Options{Bias: map[int32]float32{0: -1}, PresencePenalty: 1, FrequencyPenalty: 1}, true},
		{Options{Bias: map[int32]float32{0: 1}}, false},
		{Options{FrequencyPenalty: -1}, false},
		{Options{Constraint: &remainders{modulus: 2}}, true},
		{Options{Constraint: &remainders{modulus: 1 << 16}}, false},
	} {
		s := newSampler(t, test.o)
		if _, ok := s.SampleTop(slices.Clone(order[:128]), recent); ok != test.want {
			t.Errorf("%+v: decided %v, want %v", test.o, ok, test.want)
		}
	}
}

// TestSampleTopLeavesErrorsToSample: what no choice can be made from is told by Sample.
func TestSampleTopLeavesErrorsToSample(t *testing.T) {
	for _, top := range [][]Choice{nil, {{0, nan}}, {{0, 1}, {1, inf}}, {{0, -inf}, {1, -inf}}} {
		if id, ok := newSampler(t, Options{}).SampleTop(top, nil); ok {
			t.Errorf("%v: chose %d", top, id)
		}
	}
}

func TestSampleTopAllocatesNothing(t *testing.T) {
	logits := randomLogits(128, 2)
	top := make([]Choice, len(logits))
	for _, o := range benchOptions {
		s := newSampler(t, o)
		sample := func() {
			for i, l := range logits {
				top[len(top)-1-i] = Choice{int32(i), l}
			}
			s.SampleTop(top, []int32{1, 2, 3})
		}
		sample()
		if n := testing.AllocsPerRun(10, sample); n != 0 {
			t.Errorf("%s: %v allocations per choice", title(o), n)
		}
	}
}

func BenchmarkSampleTop(b *testing.B) {
	logits := randomLogits(128, 3)
	top := make([]Choice, len(logits))
	recent := make([]int32, 64)
	for _, o := range []Options{{}, {Temperature: 0.8, TopK: 40, TopP: 0.95, MinP: 0.05, RepeatPenalty: 1.1}} {
		b.Run(title(o), func(b *testing.B) {
			s := newSampler(b, o)
			for b.Loop() {
				for i, l := range logits {
					top[i*37%len(top)] = Choice{int32(i), l}
				}
				s.SampleTop(top, recent)
			}
		})
	}
}
