package stats

import (
	"math"
	"testing"
)

func TestPaired(t *testing.T) {
	for _, test := range []struct {
		a, b int
		want float64
	}{{0, 0, 1}, {3, 3, 1}, {0, 5, 2.0 / 32}, {5, 0, 2.0 / 32}, {1, 5, 2 * 7.0 / 64}, {2, 10, 2 * 79.0 / 4096}, {0, 1000, 0}} {
		if got := Paired(test.a, test.b); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%d and %d: %g, want %g", test.a, test.b, got, test.want)
		}
	}
}
