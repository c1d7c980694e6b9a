package sample

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// randomLogits returns n logits of a spread that models have.
func randomLogits(n int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 0))
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(rng.NormFloat64() * 3)
	}
	return out
}

// compare is the order of choice for a plain sort.
func compare(a, b candidate) int {
	switch {
	case a.before(b):
		return -1
	case b.before(a):
		return 1
	}
	return 0
}

// candidates draws lists with many ties, whose weights add up exactly.
func candidates(t *rapid.T) []candidate {
	values := rapid.SliceOfN(rapid.IntRange(0, 5), 1, 200).Draw(t, "values")
	list := make([]candidate, len(values))
	for i, v := range values {
		list[i] = candidate{value: float64(v), id: int32(i)}
	}
	return list
}

func TestTopKIsASort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := candidates(t)
		k := rapid.IntRange(1, len(list)+1).Draw(t, "k")
		want := slices.Clone(list)
		slices.SortFunc(want, compare)
		want = want[:min(k, len(want))]
		got := slices.Clone(topK(list, k))
		slices.SortFunc(got, compare)
		if !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestTopPIsASort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := candidates(t)
		total := 0.0
		for _, c := range list {
			total += c.value
		}
		if total == 0 {
			list[0].value, total = 1, 1
		}
		p := rapid.Float64Range(0.001, 0.999).Draw(t, "p")
		want := slices.Clone(list)
		slices.SortFunc(want, compare)
		n, sum := 0, 0.0
		for sum < p*total {
			sum += want[n].value
			n++
		}
		got, gotSum := topP(list, p, total)
		got = slices.Clone(got)
		slices.SortFunc(got, compare)
		if !slices.Equal(got, want[:n]) || gotSum != sum {
			t.Fatalf("got %v with %v, want %v with %v", got, gotSum, want[:n], sum)
		}
	})
}

func TestExp(t *testing.T) {
	if got := exp(0); got != 1 {
		t.Errorf("exp(0) = %v, want exactly 1", got)
	}
	if got := exp(math.Inf(-1)); got != 0 {
		t.Errorf("exp(-Inf) = %v, want 0", got)
	}
	rng := rand.New(rand.NewPCG(4, 0))
	for range 100_000 {
		x := -math.Pow(10, rng.Float64()*12-9) // from -1e-9 to -1000
		want := math.Exp(x)
		if x < -700 {
			want = 0
		}
		if got := exp(x); math.Abs(got-want) > 1e-12*want {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	logits := randomLogits(5000, 2)
	recent := []int32{1, 2, 3}
	for _, o := range benchOptions {
		s := newSampler(t, o)
		sample := func() {
			if _, err := s.Sample(logits, recent); err != nil {
				t.Fatal(err)
			}
		}
		sample()
		if n := testing.AllocsPerRun(10, sample); n != 0 {
			t.Errorf("%s: %v allocations per choice", title(o), n)
		}
	}
}

var benchOptions = []Options{
	{},
	{Temperature: 1},
	{Temperature: 1, TopK: 40},
	{Temperature: 1, TopP: 0.9},
	{Temperature: 1, MinP: 0.05},
	{Temperature: 0.8, TopK: 40, TopP: 0.95, MinP: 0.05, RepeatPenalty: 1.1},
}

func title(o Options) string {
	return fmt.Sprintf("temp=%v/topk=%d/topp=%v/minp=%v/penalty=%v", o.Temperature, o.TopK, o.TopP, o.MinP, o.RepeatPenalty)
}

func BenchmarkSample(b *testing.B) {
	recent := make([]int32, 64)
	for name, logits := range map[string][]float32{"normal": randomLogits(50280, 3), "flat": make([]float32, 50280)} {
		for _, o := range benchOptions {
			b.Run(name+"/"+title(o), func(b *testing.B) {
				s := newSampler(b, o)
				for b.Loop() {
					if _, err := s.Sample(logits, recent); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
