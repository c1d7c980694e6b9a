package graph

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mmrun/mmrun/vk"
)

// chain builds out = stretch(stretch(in)), by way of the arena.
func chain(g *Graph) {
	middle := g.Temp(rows, 36)
	stretch(g, middle, g.Slot("in", 0, rows, 36))
	stretch(g, g.Slot("out", 256, rows, 36), middle)
}

// TestReplay records one program for two sequences and runs them in turn: each keeps to its own
// memory, and sees what was put there since the last run.
func TestReplay(t *testing.T) {
	for _, access := range []Access{Texel, Buffer} {
		g := NewAccess(device, access)
		chain(g)
		p := plan(t, g)
		one := newSpans(t, p.Arena(), 1024, "in", "out")
		two := newSpans(t, p.Arena(), 1024, "in", "out")
		two.Arena = one.Arena
		recordings := []*Recording{record(t, p, one), record(t, p, two)}
		for run := range 3 {
			for i, s := range []Spans{one, two} {
				x := counting(rows*36, 1000*run+100*i)
				store(t, s.Slots["in"], x)
				if err := recordings[i].Run(); err != nil {
					t.Fatal(err)
				}
				want := slices.Concat(make([]float32, 64), stretched(x, 2), make([]float32, 256-64-rows*36))
				if got := load(t, s.Slots["out"]); !same(got, want) {
					t.Fatalf("%s, run %d of sequence %d: %v, want %v", access, run, i, got, want)
				}
			}
		}
	}
}

// TestSubmitsInOrder starts a recording twice without a wait in between: the second run sees what
// the first one wrote.
func TestSubmitsInOrder(t *testing.T) {
	g := New(device)
	next := g.Temp(rows, 4)
	x := g.Slot("x", 0, rows, 4)
	stretch(g, next, x)
	g.Copy(x, next)
	p := plan(t, g)
	s := newSpans(t, p.Arena(), 4*4*rows, "x")
	numbers := counting(4*rows, 1)
	store(t, s.Slots["x"], numbers)
	r := record(t, p, s)
	if _, err := r.Submit(); err != nil {
		t.Fatal(err)
	}
	if err := r.Run(); err != nil {
		t.Fatal(err)
	}
	if got, want := load(t, s.Slots["x"]), stretched(numbers, 2); !same(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestRunNothing: no program is run at once.
func TestRunNothing(t *testing.T) {
	if err := Run(nil, nil); err != nil {
		t.Error(err)
	}
}

// TestArenaInABuffer: an arena may be a part of a buffer, of which nothing else is touched.
func TestArenaInABuffer(t *testing.T) {
	g := New(device)
	chain(g)
	p := plan(t, g)
	s := newSpans(t, p.Arena(), 1024, "in", "out")
	whole := newBuffer(t, p.Arena()+1024).Whole()
	s.Arena = whole.Buffer.Span(512, p.Arena())
	store(t, s.Slots["in"], counting(rows*36, 1))
	runOnce(t, p, s)
	if got, want := load(t, s.Slots["out"])[64:][:rows*36], stretched(counting(rows*36, 1), 2); !same(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	data := load(t, whole)
	for i, v := range slices.Concat(data[:128], data[128+p.Arena()/4:]) {
		if v != 0 {
			t.Fatalf("word %d outside the arena is %g", i, v)
		}
	}
}

// TestTimes: a timed recording does the same work and knows what each op took.
func TestTimes(t *testing.T) {
	g := New(device)
	chain(g)
	g.Copy(g.Slot("in", 0, rows, 36), g.Slot("out", 256, rows, 36))
	p := plan(t, g)
	s := newSpans(t, p.Arena(), 1024, "in", "out")
	store(t, s.Slots["in"], counting(rows*36, 1))
	r, err := p.RecordTimed(s)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Times(); err == nil {
		t.Error("there are times before a run")
	}
	for range 2 {
		if err := r.Run(); err != nil {
			t.Fatal(err)
		}
		ops, err := r.Times()
		if err != nil {
			t.Fatal(err)
		}
		if len(ops) != 2 {
			t.Fatalf("times of %d ops, want 2: %+v", len(ops), ops)
		}
		const bytes = 4 * rows * 36
		for i, want := range []OpTime{{Op: "stretch", Calls: 2, Cost: Cost{Bytes: 4 * bytes, Flops: 2}}, {Op: "copy", Calls: 1, Cost: Cost{Bytes: 2 * bytes}}} {
			if ops[i].Time <= 0 {
				t.Errorf("%s took %v", want.Op, ops[i].Time)
			}
			if ops[i].Time = 0; ops[i] != want {
				t.Errorf("op %d is %+v, want %+v", i, ops[i], want)
			}
		}
	}
	four := stretched(counting(rows*36, 1), 4)
	if got := load(t, s.Slots["out"])[64:][:rows*36]; !same(got, four) {
		t.Errorf("%v, want %v", got, four)
	}
}

// widths are the columns a value of the test below may have: one vector, and either side of a
// home's alignment.
var widths = []int{4, 20, 24, 64}

// TestRandomPrograms runs programs of copies and stretches drawn at random and follows them on the
// host: whatever the planner put into the same place, and wherever it left a barrier out, every slot
// holds what it must.
func TestRandomPrograms(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	s := newSpans(t, 1<<16, 4*rows*64, names...)
	rapid.Check(t, func(t *rapid.T) {
		g := NewAccess(device, rapid.SampledFrom([]Access{Texel, Buffer}).Draw(t, "access"))
		var values []Value
		var holds [][]float32 // by value
		for i, name := range names {
			values = append(values, g.Slot(name, 0, rows, widths[i]))
			holds = append(holds, counting(rows*widths[i], 1000*i))
			store(t, s.Slots[name], holds[i])
		}
		for range rapid.IntRange(1, 40).Draw(t, "nodes") {
			from, to := rapid.IntRange(0, len(values)-1).Draw(t, "from"), rapid.IntRange(0, 2*len(values)).Draw(t, "to")
			if to >= len(values) || to == from || values[to].Cols != values[from].Cols {
				to = len(values)
				values, holds = append(values, g.Temp(rows, values[from].Cols)), append(holds, nil)
			}
			if rapid.Bool().Draw(t, "copy") {
				g.Copy(values[to], values[from])
				holds[to] = holds[from]
			} else {
				stretch(g, values[to], values[from])
				holds[to] = stretched(holds[from], 1)
			}
		}
		runOnce(t, plan(t, g), s)
		for i, name := range names {
			if got := load(t, vk.Span{Buffer: s.Slots[name].Buffer, Size: values[i].Bytes()}); !same(got, holds[i]) {
				t.Fatalf("slot %s: %v, want %v", name, got, holds[i])
			}
		}
	})
}

// TestSoftware: a device's own graphs have the kernels for its kind, and those of tests the access's.
func TestSoftware(t *testing.T) {
	info := device.Info()
	if got := New(device).Software(); got != info.Software() || got != info.Takes(vk.TexelPath) || got && info.Type != vk.CPU {
		t.Errorf("a graph for a %v device that takes %v: software %v", info.Type, info.Paths, got)
	}
	for access, want := range map[Access]bool{Texel: true, Buffer: false, Subgroup: false, CoopMat: false} {
		if got := NewAccess(device, access); got.Software() != want || got.Access() != access {
			t.Errorf("%s: software %v, access %s", access, got.Software(), got.Access())
		}
	}
}
