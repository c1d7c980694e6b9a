package main

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/mmrun/mmrun/internal/experiment/stats"
)

func TestSpaced(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1 000", 144407: "144 407", 12345678: "12 345 678"} {
		if got := spaced(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// TestFiguresAsJSON: what JSON has no number for is null, and an error that is not known is left out.
func TestFiguresAsJSON(t *testing.T) {
	for _, test := range []struct {
		estimate stats.Estimate
		want     string
	}{
		{stats.Estimate{Value: 1.5, Error: 0.25}, `{"value":1.5,"error":0.25}`},
		{stats.Estimate{Value: 1.5, Error: math.NaN()}, `{"value":1.5}`},
		{stats.Estimate{Value: math.Inf(1), Error: math.Inf(1)}, `{"value":null,"error":null}`},
		{stats.Estimate{Value: math.NaN(), Error: math.NaN()}, `{"value":null}`},
	} {
		got, err := json.Marshal(figureOf(test.estimate))
		if err != nil || string(got) != test.want {
			t.Errorf("%v: %s, %v, want %s", test.estimate, got, err, test.want)
		}
	}
}

// TestGarbageHasAReport: a model so bad that its perplexity is beyond a float64 is still reported.
func TestGarbageHasAReport(t *testing.T) {
	var s stats.Surprise
	for range 3000 {
		s.Add(1000, 1)
	}
	if _, err := json.Marshal(surpriseOf(&s)); err != nil {
		t.Error(err)
	}
}
