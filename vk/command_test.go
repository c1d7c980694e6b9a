package vk

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestCopyAndFill(t *testing.T) {
	d := open(t)
	data := noise(1000, 9)
	src := buffer(t, d, 1000, DeviceLocal, data)
	dst := buffer(t, d, 1000, HostVisible, nil)
	submit(t, d, record(t, d, func(c *Commands) {
		c.Fill(dst.Span(0, 100), 0x04030201)
		c.Barrier()
		c.Copy(dst.Span(10, 500), src.Span(300, 500))
		c.Copy(dst.Span(600, 100), src.Span(0, 100))
		c.Barrier()
		c.Copy(dst.Span(900, 50), dst.Span(600, 50)) // within one buffer
	}))
	want := make([]byte, 1000)
	for i := range 100 {
		want[i] = byte(i%4 + 1)
	}
	copy(want[10:], data[300:800])
	copy(want[600:], data[:100])
	copy(want[900:], data[:50])
	if !bytes.Equal(dst.Mapped(), want) {
		t.Error("copies and fills went elsewhere")
	}
}

func TestCommandsRefuse(t *testing.T) {
	d, other := open(t), open(t)
	a, b := buffer(t, d, 64, DeviceLocal, nil), buffer(t, d, 64, DeviceLocal, nil)
	foreign := buffer(t, other, 64, DeviceLocal, nil)
	for want, f := range map[string]func(c *Commands){
		"copy: 8 bytes into 4":              func(c *Commands) { c.Copy(a.Span(0, 4), b.Span(0, 8)) },
		"copy: bytes 4+8 and 0+8 overlap":   func(c *Commands) { c.Copy(a.Span(0, 8), a.Span(4, 8)) },
		"copy to: bytes 60+8":               func(c *Commands) { c.Copy(a.Span(60, 8), b.Span(0, 8)) },
		"copy from: a buffer of another":    func(c *Commands) { c.Copy(a.Span(0, 8), foreign.Span(0, 8)) },
		"fill: bytes 2+4 are not":           func(c *Commands) { c.Fill(a.Span(2, 4), 0) },
		"fill: bytes 0+6 are not":           func(c *Commands) { c.Fill(a.Span(0, 6), 0) },
		"fill: no buffer":                   func(c *Commands) { c.Fill(Span{}, 0) },
		"command list: recording after End": func(c *Commands) { c.End(); c.Barrier() },
		"command list: closed":              func(c *Commands) { c.Close(); c.Barrier(); c.Timestamp() },
	} {
		c, err := d.NewCommands()
		if err != nil {
			t.Fatal(err)
		}
		f(c)
		if err := c.End(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		c.Close()
		c.Close() // does nothing
	}
}

func TestSubmitRefuses(t *testing.T) {
	d, other := open(t), open(t)
	b := buffer(t, d, 64, DeviceLocal, nil)
	c := record(t, d, func(c *Commands) { c.Fill(b.Whole(), 1) })
	submit(t, d, c)
	begun, err := d.NewCommands()
	if err != nil {
		t.Fatal(err)
	}
	defer begun.Close()
	for want, f := range map[string]func() (Pending, error){
		"no command lists":                   func() (Pending, error) { return d.Submit() },
		"command list 1: is nil":             func() (Pending, error) { return d.Submit(c, nil) },
		"command list 0: is another device":  func() (Pending, error) { return other.Submit(c) },
		"command list 1: has not been ended": func() (Pending, error) { return d.Submit(c, begun) },
	} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	b.Close()
	if _, err := d.Submit(c); !errors.Is(err, ErrClosed) {
		t.Errorf("a list whose buffer is closed: %v", err)
	}
	c.Close()
	if _, err := d.Submit(c); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed list: %v", err)
	}
	if err := (Pending{}).Wait(); err == nil {
		t.Error("waited for nothing")
	}
}

// TestManyInFlight: submissions pile up, are waited for in any order or not at all, and fences are
// used again.
func TestManyInFlight(t *testing.T) {
	d := open(t)
	p := pipeline(t, d, "axpy", 64)
	x, y := buffer(t, d, 256, DeviceLocal, floats(1)), buffer(t, d, 256, DeviceLocal, nil)
	c := record(t, d, func(c *Commands) {
		c.Dispatch(p, []Span{x.Whole(), y.Whole()}, append(words(64), floats(1)...), [3]uint32{1, 1, 1})
	})
	const n = 50
	var all []Pending
	for range n {
		s, err := d.Submit(c)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	for i := n - 1; i >= 0; i -= 7 {
		for range 2 {
			if err := all[i].Wait(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := float(download(t, d, y.Whole()), 0); got != n {
		t.Errorf("%g submissions ran, want %d", got, n)
	}
	for range 3 * n {
		submit(t, d, c)
	}
	if fences := d.Stats().Handles["fence"]; fences > n+ringSlots+1 {
		t.Errorf("%d fences", fences)
	}
	if _, err := d.Submit(c); err != nil { // nobody waits: Close does
		t.Fatal(err)
	}
	c.Close()
}

// TestDeviceLost lets a submission end the way it does on a lost device.
func TestDeviceLost(t *testing.T) {
	d := open(t)
	b := buffer(t, d, 64, DeviceLocal, nil)
	c := record(t, d, func(c *Commands) { c.Fill(b.Whole(), 1) })
	p, err := d.Submit(c)
	if err != nil {
		t.Fatal(err)
	}
	p.s.mu.Lock()
	submit(t, d, c) // the first has really ended too, so that its list can be freed
	p.s.finish(d, failed("vkWaitForFences", deviceLost))
	p.s.mu.Unlock()
	for range 2 {
		if err := p.Wait(); !errors.Is(err, ErrDeviceLost) || errors.Is(err, ErrOutOfMemory) {
			t.Errorf("wait: %v", err)
		}
	}
	if n := len(d.queue.fences.dead); n != 1 {
		t.Errorf("%d fences are kept from being used again, want that of the lost submission", n)
	}
}

func TestTimestamps(t *testing.T) {
	d := open(t)
	if d.Info().Limits.TimestampPeriod == 0 {
		c, err := d.NewCommands()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Timestamp()
		if err := c.End(); err == nil || !strings.Contains(err.Error(), "no timestamps") {
			t.Errorf("timestamps of a queue without: %v", err)
		}
		return
	}
	p := pipeline(t, d, "axpy", 64)
	const work = 1 << 20
	x, y := buffer(t, d, 4*work, DeviceLocal, nil), buffer(t, d, 4*work, DeviceLocal, nil)
	const n = poolStamps + 10
	c := record(t, d, func(c *Commands) {
		c.Timestamp()
		c.Dispatch(p, []Span{x.Whole(), y.Whole()}, append(words(work), floats(1)...), [3]uint32{work / 64, 1, 1})
		for range n - 1 {
			c.Timestamp()
		}
	})
	if _, err := c.Timestamps(); err == nil {
		t.Error("timestamps before any submission")
	}
	for range 2 { // the pools are reset by every submission
		start := time.Now()
		submit(t, d, c)
		wall := time.Since(start)
		stamps, err := c.Timestamps()
		if err != nil || len(stamps) != n {
			t.Fatalf("%d timestamps, %v", len(stamps), err)
		}
		if stamps[0] != 0 || stamps[1] <= 0 || stamps[n-1] > wall {
			t.Errorf("timestamps %v, %v … %v of a submission of %v", stamps[0], stamps[1], stamps[n-1], wall)
		}
		for i := 1; i < n; i++ {
			if stamps[i] < stamps[i-1] {
				t.Errorf("timestamp %d goes back", i)
			}
		}
	}
	empty := record(t, d, func(c *Commands) {})
	if s, err := empty.Timestamps(); s != nil || err != nil {
		t.Errorf("a list without: %v, %v", s, err)
	}
}

func TestDurations(t *testing.T) {
	for _, c := range []struct {
		ticks  []uint64
		mask   uint64
		period float64
		want   []time.Duration
	}{
		{[]uint64{5, 8, 5}, 1<<64 - 1, 1, []time.Duration{0, 3, 0}},
		{[]uint64{1<<36 - 2, 1}, 1<<36 - 1, 1, []time.Duration{0, 3}},
		{[]uint64{1<<64 - 1, 9}, 1<<64 - 1, 2, []time.Duration{0, 20}},
		{[]uint64{10, 9}, 1<<32 - 1, 1, []time.Duration{0, -1}},
		{[]uint64{0, 3}, 1<<48 - 1, 52.08, []time.Duration{0, 156}},
	} {
		got := durations(c.ticks, c.mask, c.period)
		for i := range c.want {
			if got[i] != c.want[i] {
				t.Errorf("ticks %v: %v, want %v", c.ticks, got, c.want)
				break
			}
		}
	}
}
