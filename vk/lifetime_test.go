package vk

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestHandles uses everything, then counts: each kind was made, and Close returns every one.
func TestHandles(t *testing.T) {
	d, err := Open(Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	p := pipeline(t, d, "texel")
	a, err := d.NewBuffer(256, DeviceLocal)
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.NewBuffer(256, HostVisible)
	if err != nil {
		t.Fatal(err)
	}
	upload(t, d, a.Whole(), noise(256, 1))
	c, err := d.NewCommands()
	if err != nil {
		t.Fatal(err)
	}
	if d.Info().Limits.TimestampPeriod > 0 {
		c.Timestamp()
	}
	c.Dispatch(p, []Span{a.Whole(), a.Whole(), b.Whole()}, nil, [3]uint32{1, 1, 1})
	if err := c.End(); err != nil {
		t.Fatal(err)
	}
	submit(t, d, c)
	s := d.Stats()
	for kind, n := range s.Made {
		if n == 0 && !(kind == "query pool" && d.Info().Limits.TimestampPeriod == 0) {
			t.Errorf("no %s was made", kind)
		}
	}
	c.Close()
	b.Close()
	a.Close()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	s = d.Stats()
	for kind, n := range s.Handles {
		if n != 0 {
			t.Errorf("%d of kind %s are left", n, kind)
		}
	}
	if s.DeviceBytes != 0 || s.HostBytes != 0 || s.DeviceUsed != 0 || s.HostUsed != 0 || s.StagingBytes != 0 || s.DevicePeak == 0 {
		t.Errorf("memory after close: %+v", s)
	}
}

// TestLeaksAreNamed: Close frees what was forgotten and says so; later Closes of it do nothing.
func TestLeaksAreNamed(t *testing.T) {
	d, err := Open(Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.NewBuffer(100, DeviceLocal)
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.NewCommands()
	if err != nil {
		t.Fatal(err)
	}
	c.Fill(b.Whole(), 1)
	if err := c.End(); err != nil {
		t.Fatal(err)
	}
	pending, err := d.Submit(c)
	if err != nil {
		t.Fatal(err)
	}
	err = d.Close()
	for _, want := range []string{"2 objects", "a device buffer of 100 bytes", "a command list with 0 dispatches"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("close: %v, want %q", err, want)
		}
	}
	for kind, n := range d.Stats().Handles {
		if n != 0 {
			t.Errorf("%d of kind %s are left", n, kind)
		}
	}
	b.Close()
	c.Close()
	if err := pending.Wait(); err != nil {
		t.Errorf("wait after close: %v", err)
	}
}

// TestGarbageCollection makes, records and submits while the garbage collector runs without pause:
// C memory that a finalizer frees too early shows as a crash or a wrong sum.
func TestGarbageCollection(t *testing.T) {
	d := open(t)
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !stop.Load() {
			runtime.GC()
		}
	})
	defer func() { stop.Store(true); wg.Wait() }()
	const n = 256
	one := make([]float32, n)
	for i := range one {
		one[i] = 1
	}
	x := buffer(t, d, 4*n, DeviceLocal, floats(one...))
	code := codeOf(t, "axpy")
	deadline := time.Now().Add(2 * time.Second)
	for round := uint32(0); round == 0 || time.Now().Before(deadline); round++ {
		scale := round%50 + 1
		p, err := d.Pipeline("axpy", code, 32, scale)
		if err != nil {
			t.Fatal(err)
		}
		y := buffer(t, d, 4*n, DeviceLocal, nil)
		z := buffer(t, d, 4*n, HostVisible, nil)
		c := record(t, d, func(c *Commands) {
			for range 20 {
				c.Dispatch(p, []Span{x.Whole(), y.Whole()}, append(words(n), floats(2)...), [3]uint32{n / 32, 1, 1})
				c.Barrier()
			}
			c.Copy(z.Whole(), y.Whole())
		})
		submit(t, d, c)
		for i := range n {
			if got, want := float(z.Mapped(), i), float32(40*scale); got != want {
				t.Fatalf("round %d: z[%d] = %g, want %g", round, i, got, want)
			}
		}
		c.Close()
		y.Close()
		z.Close()
	}
}

// TestConcurrentUse runs uploads, lists and buffers of several goroutines on one device.
func TestConcurrentUse(t *testing.T) {
	d := open(t)
	code := codeOf(t, "axpy")
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for round := range 5 {
				if err := useOnce(d, code, float32(10*g+round)); err != nil {
					t.Errorf("goroutine %d: %v", g, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// useOnce computes y = v·x + y in buffers of its own and checks it.
func useOnce(d *Device, code []byte, v float32) error {
	const n = 2048
	p, err := d.Pipeline("axpy", code, 64)
	if err != nil {
		return err
	}
	x, err := d.NewBuffer(4*n, DeviceLocal)
	if err != nil {
		return err
	}
	defer x.Close()
	y, err := d.NewBuffer(4*n, DeviceLocal)
	if err != nil {
		return err
	}
	defer y.Close()
	err = d.Upload(x.Whole(), 4, func(p []byte, off int64) error {
		for i := range len(p) / 4 {
			copy(p[4*i:], floats(float32(int(off)/4+i)))
		}
		return nil
	})
	if err != nil {
		return err
	}
	c, err := d.NewCommands()
	if err != nil {
		return err
	}
	defer c.Close()
	c.Dispatch(p, []Span{x.Whole(), y.Whole()}, append(words(n), floats(v)...), [3]uint32{n / 64, 1, 1})
	if err := c.End(); err != nil {
		return err
	}
	pending, err := d.Submit(c)
	if err != nil {
		return err
	}
	if err := pending.Wait(); err != nil {
		return err
	}
	got := make([]byte, 4*n)
	if err := d.Download(got, y.Whole()); err != nil {
		return err
	}
	for i := range n {
		if want := v * float32(i); float(got, i) != want {
			return fmt.Errorf("y[%d] = %g, want %g", i, float(got, i), want)
		}
	}
	return nil
}
