package ops

import (
	"fmt"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// TestLimit: what measures a device's limits does the work it is credited with.
func TestLimit(t *testing.T) {
	for _, access := range accesses {
		for _, n := range []int{1, 3} {
			r := newRig(t, access, 1, 1, 0, 0)
			data := r.random(4*n*LimitRows, 1)
			near(t, fmt.Sprintf("%s read", access), r.run(LimitRead(r.g, r.value("data", n*LimitRows, 4, data))),
				ref.LimitRead(data, limitReadLanes(r.g), LimitRows/limitReadLanes(r.g)))
			r = newRig(t, access, 1, 1, 0, 0)
			near(t, fmt.Sprintf("%s fma", access), r.run(LimitFMA(r.g, r.value("data", n*LimitRows, 4, data), 24)),
				ref.LimitFMA(data, 24))
		}
	}
}

func TestLimitRefuses(t *testing.T) {
	g := graph.New(device)
	LimitRead(g, g.Temp(LimitRows+1, 4))
	if g.Err() == nil {
		t.Error("a stretch cut short was taken")
	}
	g = graph.New(device)
	LimitFMA(g, g.Temp(LimitRows, 4), 12)
	if g.Err() == nil {
		t.Error("one and a half steps of eight were taken")
	}
}

func BenchmarkLimit(b *testing.B) {
	for _, size := range []int{1 << 20, 128 << 20} {
		benchmark(b, fmt.Sprintf("read/bytes=%d", size), 1, func(r *rig) {
			rows := size / 16
			LimitRead(r.g, r.value("data", rows, 4, make([]float32, 4*rows)))
		})
	}
	benchmark(b, "fma", 1, func(r *rig) {
		LimitFMA(r.g, r.value("data", 8*LimitRows, 4, r.random(8*4*LimitRows, 0.1)), 1024)
	})
}
