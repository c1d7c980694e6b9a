package engine

import (
	"testing"
	"time"
)

// TestHelp: between two steps as much is read as fits the wait by a clock that tells how long pieces take, and one
// piece where none fits: nothing follows that goes beyond.
func TestHelp(t *testing.T) {
	for _, test := range []struct {
		within int
		pieces []int // how long each takes; as many as fit go at a time
		want   int   // how long all takes that is read
	}{
		{50, []int{12, 12, 12, 12, 12, 12}, 48},
		{50, []int{60, 1}, 60},
		{50, []int{20, 20, 20, 1}, 40},
		{50, []int{25, 25, 25}, 50},
		{50, []int{1, 2}, 3},
		{1, []int{5, 5}, 5},
		{50, nil, 0},
	} {
		clock := 0
		err := help(time.Duration(test.within), func(left time.Duration, least int) (takes time.Duration, err error) {
			for len(test.pieces) > 0 && (least > 0 || takes+time.Duration(test.pieces[0]) <= left) {
				takes, least = takes+time.Duration(test.pieces[0]), least-1
				test.pieces = test.pieces[1:]
				if len(test.pieces)%2 == 0 { // the end of a pass
					break
				}
			}
			clock += int(takes)
			return takes, nil
		})
		if err != nil || clock != test.want {
			t.Errorf("within %d: %d is read, want %d (%v)", test.within, clock, test.want, err)
		}
	}
}
