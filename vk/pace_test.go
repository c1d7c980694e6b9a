package vk

import (
	"testing"
	"time"
)

// TestPaceLearns: whatever a device is like, and however different its calls, bytes and operations, what it
// is told of loads of several kinds it soon knows.
func TestPaceLearns(t *testing.T) {
	loads := []Load{{300, 5e9, 10e9}, {2000, 1e9, 2e12}, {100, 1e4, 1e4}}
	for _, device := range []Pace{
		{cost: [3]float64{5e-6, 1 / 1e12, 1 / 20e12}}, // a large GPU
		{cost: [3]float64{20e-6, 1 / 40e9, 1 / 1e12}}, // one that shares the processor's memory
		{cost: [3]float64{50e-6, 1 / 5e9, 1 / 5e9}},   // two cores
	} {
		p := NewPace(Integrated)
		for range 60 {
			for _, l := range loads {
				p.Learn(l, device.Time(l))
			}
		}
		for _, l := range loads {
			if got, want := p.Time(l), device.Time(l); got < want*9/10 || got > want*11/10 {
				t.Errorf("%+v takes %v, the pace says %v", l, want, got)
			}
		}
	}
}

// TestPaceIsCareful: one measurement changes little, and none that says nothing changes anything.
func TestPaceIsCareful(t *testing.T) {
	l := Load{10, 1e9, 1e9}
	for _, test := range []struct {
		took  time.Duration
		ratio float64
	}{{time.Hour, 4}, {1, 0.5}, {0, 1}, {-1, 1}} {
		p := NewPace(CPU)
		before := p.Time(l)
		p.Learn(l, test.took)
		if got := float64(p.Time(l)) / float64(before); got < test.ratio*0.999 || got > test.ratio*1.001 {
			t.Errorf("after %v a load takes %g times as long, want %g", test.took, got, test.ratio)
		}
	}
	p := NewPace(CPU)
	p.Learn(Load{}, time.Second)
	if p != NewPace(CPU) {
		t.Errorf("nothing done in a second changed the pace to %+v", p)
	}
	if NewPace(Integrated).Target >= NewPace(Discrete).Target {
		t.Error("an integrated GPU is held no shorter than a discrete one")
	}
}

// TestSubmissionsAreMeasured: a submission of a known load that somebody waits for is measured by itself,
// also behind others, and one of an unknown load is not.
func TestSubmissionsAreMeasured(t *testing.T) {
	d := open(t)
	p := pipeline(t, d, "axpy", 64)
	const n = 1 << 20
	x, y := buffer(t, d, 4*n, DeviceLocal, nil), buffer(t, d, 4*n, DeviceLocal, nil)
	c := record(t, d, func(c *Commands) {
		for range 20 {
			c.Dispatch(p, []Span{x.Whole(), y.Whole()}, append(words(n), floats(1)...), [3]uint32{n / 64, 1, 1})
			c.Barrier()
		}
	})
	submit(t, d, c)
	if longest := d.Stats().Longest; longest != 0 {
		t.Fatalf("%v measured of an unknown load", longest)
	}
	load, before := Load{20, 20 * 12 * n, 40 * n}, d.Pace()
	began := time.Now()
	var last Pending
	for range 8 {
		var err error
		if last, err = d.SubmitLoad(load, c); err != nil {
			t.Fatal(err)
		}
	}
	if err := last.Wait(); err != nil {
		t.Fatal(err)
	}
	took, longest := time.Since(began), d.Stats().Longest
	if longest <= 0 || longest > took || longest < took/16 {
		t.Errorf("the longest of 8 submissions of %v together took %v", took, longest)
	}
	if d.Pace() == before {
		t.Error("the pace was not learned")
	}
}
