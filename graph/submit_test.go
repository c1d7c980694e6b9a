package graph

import (
	"slices"
	"testing"
	"time"

	"github.com/mmrun/mmrun/vk"
)

// costly is a program of several kernels of a cost each, x = stretch(…(x)).
func costly(t *testing.T, s Spans, kernels int, cost Cost) *Recording {
	t.Helper()
	g := New(device)
	x, v := g.Slot("x", 0, rows, 4), g.Slot("x", 0, rows, 4)
	for range kernels {
		y := g.Temp(rows, 4)
		stretch(g, y, v)
		g.nodes[len(g.nodes)-1].cost = cost
		v = y
	}
	g.Copy(x, v)
	return record(t, plan(t, g), s)
}

// submissions is how many f makes.
func submissions(f func()) int64 {
	before := device.Stats().Submissions
	f()
	return device.Stats().Submissions - before
}

// TestSubmitTogether starts any number of short programs one after another in one submission: each sees
// what those before it wrote. None is left out, wherever it stands.
func TestSubmitTogether(t *testing.T) {
	s := newSpans(t, 1<<12, 4*4*rows, "x", "y")
	store(t, s.Slots["x"], counting(4*rows, 1)) // and whatever memory has to be cleared
	one, three := costly(t, s, 1, Cost{Flops: 1}), costly(t, s, 3, Cost{Flops: 1})
	g := New(device)
	g.Copy(g.Slot("y", 0, rows, 4), g.Slot("x", 0, rows, 4))
	other := record(t, plan(t, g), s)
	if err := Run(one, three); err != nil {
		t.Fatal(err)
	}
	for _, rs := range [][]*Recording{
		{one}, {three}, {one, three}, {nil, one, nil}, {nil, three, nil, one, nil},
		slices.Repeat([]*Recording{one}, 5), slices.Repeat([]*Recording{one, three}, 12), slices.Repeat([]*Recording{one, nil, other, other, other}, 40),
	} {
		want := counting(4*rows, 1)
		store(t, s.Slots["x"], want)
		for _, r := range rs {
			want = stretched(want, map[*Recording]int{three: 3, one: 1}[r])
		}
		n := submissions(func() {
			if err := Run(rs...); err != nil {
				t.Fatal(err)
			}
		})
		if n != 1 {
			t.Errorf("%d programs take %d submissions", len(rs), n)
		}
		if got := load(t, s.Slots["x"]); !same(got, want) {
			t.Errorf("%d programs: %v, want %v", len(rs), got, want)
		}
	}
}

// TestSubmitAllocatesNothing: starting a program takes nothing of Go's heap.
func TestSubmitAllocatesNothing(t *testing.T) {
	s := newSpans(t, 1<<12, 4*4*rows, "x")
	one := costly(t, s, 1, Cost{Flops: 1})
	if n := testing.AllocsPerRun(20, func() {
		if err := Run(one.At(7), nil, one); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%g objects a run", n)
	}
}

// TestPieces: a program is recorded in pieces none of which is much work, by bytes and by operations.
func TestPieces(t *testing.T) {
	s := newSpans(t, 1<<12, 4*4*rows, "x")
	most := Cost{Bytes: int64(5e9 * pieceTime.Seconds()), Flops: int64(20e9 * pieceTime.Seconds())}
	for _, test := range []struct {
		parts  int64
		pieces int
	}{{10, 1}, {3, 2}, {1, 5}} { // the copy at the end is another node
		for _, cost := range []Cost{{Bytes: most.Bytes / test.parts}, {Flops: most.Flops / test.parts}, {most.Bytes / test.parts / 2, most.Flops / test.parts / 2}} {
			if r := costly(t, s, 4, cost); len(r.pieces) != test.pieces {
				t.Errorf("4 kernels of %+v in %d pieces, want %d", cost, len(r.pieces), test.pieces)
			}
		}
	}
}

// TestSubmissionsAreShort runs a long program and two short ones, over and over, as if on devices of some
// speed: no submission takes notably longer than the target, from the first on, and once the device's pace is known
// none is without need short. What is computed is the same.
func TestSubmissionsAreShort(t *testing.T) {
	s := newSpans(t, 1<<12, 4*4*rows, "x")
	short, long := costly(t, s, 1, Cost{Bytes: 1e4, Flops: 1e4}), costly(t, s, 58, Cost{Bytes: 5e7, Flops: 1e9})
	for _, test := range []struct {
		name                    string
		kind                    vk.Type
		call, byteTime, opTime  float64 // seconds
		least, most, afterwards int     // submissions of the last run, and after it of a token
	}{
		{"slow", vk.Integrated, 20e-6, 1 / 20e9, 1 / 60e9, 12, 20, 1},
		{"integrated", vk.Integrated, 10e-6, 1 / 50e9, 1 / 1e12, 2, 3, 1},
		{"large", vk.Discrete, 5e-6, 1 / 1e12, 1 / 20e12, 1, 1, 1},
		{"two cores", vk.CPU, 50e-6, 1 / 8e9, 1 / 20e9, 7, 12, 1},
	} {
		pace := vk.NewPace(test.kind)
		n := 0
		run := func(rs ...*Recording) {
			n = 0
			for c := (cutter{pace: pace, programs: rs}); ; n++ {
				lists, load := c.next(nil, 1)
				if len(lists) == 0 {
					break
				}
				took := time.Duration(1e9 * (test.call*float64(load.Calls) + test.byteTime*float64(load.Bytes) + test.opTime*float64(load.Flops)))
				if took > pace.Target*11/10 {
					t.Errorf("%s: submission %d takes %v, the target is %v", test.name, n, took, pace.Target)
				}
				pace.Learn(load, took)
				if pending, err := device.Submit(lists...); err != nil || pending.Wait() != nil {
					t.Fatal(err)
				}
			}
		}
		const runs = 6
		for range runs {
			store(t, s.Slots["x"], counting(4*rows, 1))
			run(short, long, nil, short)
			if got, want := load(t, s.Slots["x"]), stretched(counting(4*rows, 1), 60); !same(got, want) {
				t.Fatalf("%s: %v, want %v", test.name, got, want)
			}
		}
		if n < test.least || n > test.most {
			t.Errorf("%s: %d submissions, want %d to %d", test.name, n, test.least, test.most)
		}
		if run(short, nil, short); n != test.afterwards {
			t.Errorf("%s: short programs take %d submissions", test.name, n)
		}
	}
}

// TestSlices: a program in pieces goes as far as a time goes, nothing where that is none, and a piece where one has to.
func TestSlices(t *testing.T) {
	s := newSpans(t, 1<<12, 4*4*rows, "x")
	store(t, s.Slots["x"], counting(4*rows, 1))
	r := costly(t, s, 6, Cost{Bytes: 5e8, Flops: 1e10}) // each longer than a piece may be
	slices := Slice(nil, r)
	if pending, takes, err := slices.Next(1, 0); takes != 0 || err != nil || pending != (vk.Pending{}) || slices.Done() {
		t.Errorf("nothing fits, and %v is submitted (%v)", takes, err)
	}
	var last vk.Pending
	for n := 1; !slices.Done(); n++ {
		pending, takes, err := slices.Next(1, 1)
		if err != nil || takes <= 0 {
			t.Fatalf("piece %d: %v, %v", n, takes, err)
		}
		if last = pending; slices.Done() != (n == len(r.pieces)) || len(r.pieces) < 6 {
			t.Fatalf("done after %d pieces", n)
		}
	}
	if err := last.Wait(); err != nil {
		t.Fatal(err)
	}
	if got, want := load(t, s.Slots["x"]), stretched(counting(4*rows, 1), 6); !same(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestSubmitLong: what no device does within the target's time goes to it piece by piece, in order.
func TestSubmitLong(t *testing.T) {
	s := newSpans(t, 1<<12, 4*4*rows, "x")
	if err := costly(t, s, 1, Cost{}).Run(); err != nil { // clears the memory, which is a submission too
		t.Fatal(err)
	}
	store(t, s.Slots["x"], counting(4*rows, 1))
	long := costly(t, s, 30, Cost{Flops: 1e15})
	n := submissions(func() {
		if err := Run(long); err != nil {
			t.Fatal(err)
		}
	})
	if n != 31 { // the copy is another
		t.Errorf("%d submissions, want 31", n)
	}
	if got, want := load(t, s.Slots["x"]), stretched(counting(4*rows, 1), 30); !same(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if longest := device.Stats().Longest; longest <= 0 {
		t.Errorf("the longest submission took %v", longest)
	}
}

// TestGrowth: what a call costs more at later positions counts in the program's cost, in times, in how it
// is cut and in how many submissions it takes.
func TestGrowth(t *testing.T) {
	s := newSpans(t, 1<<12, 4*4*rows, "x")
	program := func(each Cost, most int64) *Program {
		g := New(device)
		x, v := g.Slot("x", 0, rows, 4), g.Slot("x", 0, rows, 4)
		for i := range 6 {
			y := g.Temp(rows, 4)
			stretch(g, y, v)
			g.nodes[len(g.nodes)-1].cost = Cost{1000, 10}
			if i%2 == 1 {
				g.Grow(Growth{Each: each, Row: i / 2, Most: most})
			}
			v = y
		}
		g.Copy(x, v)
		return plan(t, g)
	}
	p := program(Cost{3, 5}, 1000)
	copied := Cost{Bytes: 2 * 4 * 4 * rows}
	for _, test := range []struct {
		positions []int64
		want      int64 // tokens
	}{{nil, 0}, {[]int64{0}, 0}, {[]int64{100}, 100}, {[]int64{100, 0, 11}, 111}, {[]int64{1, -1, 2, 3}, 3}} {
		want := Cost{6000 + 3*test.want, 60 + 5*test.want}
		if got := p.Cost(test.positions...); got != want.plus(copied, 1) {
			t.Errorf("at %v %+v, want %+v and %+v", test.positions, got, want, copied)
		}
		r, err := p.RecordTimed(s)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if err := r.At(test.positions...).Run(); err != nil {
			t.Fatal(err)
		}
		times, err := r.Times()
		if err != nil || times[0].Cost != want {
			t.Errorf("at %v %+v, %v; want %+v", test.positions, times, err, want)
		}
	}
	if n := len(record(t, program(Cost{Flops: 1e7}, 1), s).pieces); n != 1 {
		t.Errorf("%d pieces of what grows little", n)
	}
	r := record(t, program(Cost{Flops: 1e7}, 1e6), s)
	if n := len(r.pieces); n != 7 {
		t.Errorf("%d pieces of what may grow to minutes of work", n)
	}
	for _, test := range []struct {
		positions []int64
		want      int // submissions
	}{{nil, 1}, {[]int64{1, 1, 1}, 1}, {[]int64{1e6, 1}, 3}, {[]int64{1e6, 1e6, 1e6}, 7}} {
		c, n := cutter{pace: vk.NewPace(vk.Integrated), programs: []*Recording{r.At(test.positions...)}}, 0
		for lists, _ := c.next(nil, 1); len(lists) > 0; lists, _ = c.next(nil, 1) {
			n++
		}
		if n != test.want {
			t.Errorf("at %v %d submissions, want %d", test.positions, n, test.want)
		}
	}
}
