package stats

import (
	"math"
	"testing"
)

func TestInterval(t *testing.T) {
	for _, test := range []struct {
		right, all int
		low, high  float64
	}{ // from the literature's tables
		{0, 10, 0, 0.2775}, {10, 10, 0.7225, 1}, {5, 10, 0.2366, 0.7634}, {81, 263, 0.2553, 0.3662},
	} {
		low, high := Interval(test.right, test.all)
		if math.Abs(low-test.low) > 5e-5 || math.Abs(high-test.high) > 5e-5 {
			t.Errorf("%d of %d: %.4f to %.4f, want %.4f to %.4f", test.right, test.all, low, high, test.low, test.high)
		}
	}
	if low, _ := Interval(0, 6); low != 0 {
		t.Errorf("0 of 6: from %g on", low)
	}
	if _, high := Interval(6, 6); high != 1 {
		t.Errorf("6 of 6: up to %g", high)
	}
}
