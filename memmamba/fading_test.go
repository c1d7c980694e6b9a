package memmamba

import (
	"strings"
	"testing"
)

// TestCrossed: a pool is read by the next attending layer if that sees so far back.
func TestCrossed(t *testing.T) {
	for _, test := range []struct {
		layers, period int
		want           string // 1 for layers whose pool is read
	}{{8, 4, "11111110"}, {4, 1, "1110"}, {5, 2, "11100"}, {3, 4, "000"}, {7, 3, "1111100"}} {
		c := &Config{Memory: &MemoryConfig{Period: test.period}}
		c.NumHiddenLayers = test.layers
		var got strings.Builder
		readers := make([]bool, test.layers)
		for l := range readers {
			readers[l] = c.Memory.crosses(l)
		}
		for l := range test.layers {
			got.WriteByte('0' + byte(oneIf(c.crossed(l, readers))))
		}
		if got.String() != test.want {
			t.Errorf("%d layers, period %d: %s, want %s", test.layers, test.period, got.String(), test.want)
		}
	}
}
