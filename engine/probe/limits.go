package probe

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/vk"
)

// Limits are what a device can do at the best, measured with kernels that do nothing else.
type Limits struct {
	Read float64 // bytes a second, of memory too large for caches
	FMA  float64 // floating point operations a second, two to a multiply-add
}

// Bound is the least time a device with these limits takes to move and compute so much, and whether it
// is moving that takes it.
func (l Limits) Bound(bytes, flops int64) (least time.Duration, memory bool) {
	move, compute := float64(bytes)/l.Read, float64(flops)/l.FMA
	return time.Duration(max(move, compute) * float64(time.Second)), move >= compute
}

const (
	limitBytes = 256 << 20 // read at once, or what the device allows
	limitRuns  = 40        // of which the best counts: most may meet other programs
	limitTime  = 4 * time.Millisecond
)

// MeasureLimits measures a model's device, for as long as it takes to read a few gigabytes.
func MeasureLimits(m *engine.Model) (l Limits, err error) {
	err = m.Inside(func(in engine.Inside) error {
		l, err = measure(in.Device())
		return err
	})
	return l, err
}

func measure(device *vk.Device) (Limits, error) {
	info := device.Info()
	bytes := min(limitBytes, int64(info.Limits.MaxStorageBufferRange), int64(info.Limits.MaxAllocation), int64(info.Memory/8))
	rows := int(max(1, bytes/16/ops.LimitRows)) * ops.LimitRows
	read, err := limit(device, rows, func(g *graph.Graph, data graph.Value) graph.Value { return ops.LimitRead(g, data) })
	if err != nil {
		return Limits{}, fmt.Errorf("limits: %w", err)
	}
	// As many steps as take long enough to be timed.
	for steps := 1024; ; steps *= 4 {
		fma, err := limit(device, 16*ops.LimitRows, func(g *graph.Graph, data graph.Value) graph.Value { return ops.LimitFMA(g, data, steps) })
		if err != nil {
			return Limits{}, fmt.Errorf("limits: %w", err)
		}
		if fma.Time >= limitTime || steps >= 1<<15 {
			return Limits{Read: float64(read.Bytes) / read.Time.Seconds(), FMA: float64(fma.Flops) / fma.Time.Seconds()}, nil
		}
	}
}

// limit runs a kernel over rows of four numbers and returns its best time.
func limit(device *vk.Device, rows int, build func(g *graph.Graph, data graph.Value) graph.Value) (best OpTime, err error) {
	data, err := device.NewBuffer(16*int64(rows), vk.DeviceLocal)
	if err != nil {
		return best, err
	}
	defer data.Close()
	// Numbers that stay in range whatever is done to them, and no zeros, which devices may compress.
	err = device.Upload(data.Whole(), 4, func(p []byte, at int64) error {
		for i := 0; i < len(p); i += 4 {
			binary.LittleEndian.PutUint32(p[i:], math.Float32bits(0.5+float32((int(at)+i)/4%61)/256))
		}
		return nil
	})
	if err != nil {
		return best, err
	}
	g := graph.New(device)
	build(g, g.Constant(data.Whole(), rows, 4))
	program, err := g.Plan()
	if err != nil {
		return best, err
	}
	arena, err := device.NewBuffer(program.Arena(), vk.DeviceLocal)
	if err != nil {
		return best, err
	}
	defer arena.Close()
	r, err := program.RecordTimed(graph.Spans{Arena: arena.Whole()})
	if err != nil {
		return best, err
	}
	defer r.Close()
	for range limitRuns + 1 { // the first compiles
		if err := r.Run(); err != nil {
			return best, err
		}
		times, err := r.Times()
		if err != nil {
			return best, err
		}
		if t := times[0]; best.Time == 0 || t.Time < best.Time {
			best = t
		}
	}
	return best, nil
}
