package graph

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mmrun/mmrun/vk"
)

// kernels are shaders to plan with and how they use each of their bindings, written down apart from
// what is reflected out of them: r reads, w writes, m modifies.
var kernels = []struct {
	Kernel
	uses string // those it reads, then one that it modifies, then one that it writes
	push any
}{
	{Kernel{Shader: "rmsnorm", Spec: normSpec{8}}, "rrrw", normPush{}},
	{Kernel{Shader: "segnorm", Plain: true}, "rm", struct {
		width, rank, states int
		scaleR, scaleN, eps float64
	}{}},
	{Kernel{Shader: "conv", Spec: struct{ k, piece int }{4, 16}}, "rrrrmw", struct{ width, stride, offset int }{}},
}

// A touch is one argument of a node, by its place in sketch.values.
type touch struct {
	value         int
	reads, writes bool
}

// A sketch is a graph drawn at random, and the test's own account of it. Nothing in it makes sense
// to run; the planner knows only who touches what.
type sketch struct {
	t      *rapid.T
	g      *Graph
	values []Value
	nodes  [][]touch
	calls  int
	cost   Cost
}

// drawSketch draws values of the arena, of two slots (with ranges that overlap) and of constants (in
// two buffers), and nodes over them.
func drawSketch(t *rapid.T) *sketch {
	s := &sketch{t: t, g: New(device)}
	buffers := []*vk.Buffer{new(vk.Buffer), new(vk.Buffer)}
	for range 4 {
		from, size := int64(rapid.IntRange(0, 3).Draw(t, "from"))*alignment, s.rows("rows")
		s.values = append(s.values, s.g.Slot(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "slot"), from, size, 64))
		span := rapid.SampledFrom(buffers).Draw(t, "buffer").Span(from, int64(size)*256)
		s.values = append(s.values, s.g.Constant(span, size, 64))
	}
	for range rapid.IntRange(1, 25).Draw(t, "nodes") {
		if rapid.IntRange(0, 3).Draw(t, "copy") == 0 {
			s.copy()
		} else {
			s.call()
		}
	}
	return s
}

func (s *sketch) rows(label string) int { return rapid.IntRange(1, 5).Draw(s.t, label) }

// known draws a value that holds something.
func (s *sketch) known() int { return rapid.IntRange(0, len(s.values)-1).Draw(s.t, "value") }

// old draws a value that the node under way does not use yet.
func (s *sketch) old(used []touch) (value int, ok bool) {
	value = s.known()
	return value, !slices.ContainsFunc(used, func(u touch) bool { return u.value == value })
}

// target draws what a node writes: an old value or a new one of the arena.
func (s *sketch) target(used []touch) int {
	if rapid.Bool().Draw(s.t, "again") {
		if at, ok := s.old(used); ok {
			return at
		}
	}
	return s.temp(s.rows("rows"), rapid.SampledFrom([]int{4, 64, 68}).Draw(s.t, "columns"))
}

func (s *sketch) temp(rows, cols int) int {
	s.values = append(s.values, s.g.Temp(rows, cols))
	return len(s.values) - 1
}

func (s *sketch) call() {
	k := rapid.SampledFrom(kernels).Draw(s.t, "kernel")
	var node []touch
	for _, use := range k.uses {
		if use == 'r' {
			node = append(node, touch{s.known(), true, false})
		}
	}
	if strings.Contains(k.uses, "m") {
		at, ok := s.old(node)
		if !ok {
			return
		}
		node = append(node, touch{at, true, true})
	}
	if strings.Contains(k.uses, "w") {
		node = append(node, touch{s.target(node), false, true})
	}
	args := make([]Value, len(node))
	for i, u := range node {
		args[i] = s.values[u.value]
	}
	cost := Cost{Bytes: int64(len(s.nodes)), Flops: 3}
	s.g.Call(k.Shader, k.Kernel, args, k.push, [3]int{1, 1, 1}, cost)
	s.nodes, s.calls = append(s.nodes, node), s.calls+1
	s.cost.Bytes, s.cost.Flops = s.cost.Bytes+cost.Bytes, s.cost.Flops+cost.Flops
}

func (s *sketch) copy() {
	from := s.known()
	to, ok := s.old([]touch{{value: from}})
	if v := s.values[from]; !ok || s.values[to].Bytes() < v.Bytes() {
		to = s.temp(v.Rows, v.Cols)
	}
	s.g.Copy(s.values[to], s.values[from])
	s.nodes = append(s.nodes, []touch{{to, false, true}, {from, true, false}})
	s.cost.Bytes += 2 * s.values[from].Bytes()
}

// TestPlan holds the plans of random graphs to what a plan is for.
func TestPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSketch(t)
		p := plan(t, s.g)
		s.checkArena(p)
		s.checkBarriers(p)
		if p.Dispatches() != s.calls || p.Cost() != s.cost {
			t.Fatalf("%d dispatches of %+v, want %d of %+v", p.Dispatches(), p.Cost(), s.calls, s.cost)
		}
	})
}

// life is when and where a value is in the arena.
type life struct {
	first, last int // nodes
	from, to    int64
}

// checkArena: two values that are alive at the same node never share a byte of the arena, and it
// holds all of them.
func (s *sketch) checkArena(p *Program) {
	var lives []life
	for i, v := range s.values {
		l := life{first: -1, from: v.home.offset, to: v.home.offset + v.Bytes()}
		for node, uses := range s.nodes {
			if slices.ContainsFunc(uses, func(u touch) bool { return u.value == i }) {
				if l.first < 0 {
					l.first = node
				}
				l.last = node
			}
		}
		if v.home.kind == temporary && l.first >= 0 {
			lives = append(lives, l)
		}
	}
	for i, a := range lives {
		if a.from%alignment != 0 || a.from < 0 || a.to > p.Arena() {
			s.t.Fatalf("a value lies at %d to %d of an arena of %d bytes", a.from, a.to, p.Arena())
		}
		for _, b := range lives[:i] {
			if a.first <= b.last && b.first <= a.last && a.from < b.to && b.from < a.to {
				s.t.Fatalf("values %+v and %+v are alive together and overlap", a, b)
			}
		}
	}
	if len(lives) == 0 && p.Arena() != 0 {
		s.t.Fatalf("an arena of %d bytes for nothing", p.Arena())
	}
}

// checkBarriers: between any two nodes of which one writes bytes that the other touches stands a
// barrier, and before a barrier there is always a node that needs it.
func (s *sketch) checkBarriers(p *Program) {
	spans := Spans{Arena: new(vk.Buffer).Span(0, p.Arena()), Slots: map[string]vk.Span{
		"a": new(vk.Buffer).Span(0, 1<<20), "b": new(vk.Buffer).Span(0, 1<<20)}}
	since, count := 0, 0 // the node after the last barrier, and barriers
	for j := range s.nodes {
		hazard := ""
		for i := since; i < j; i++ {
			hazard += s.hazard(spans, i, j)
		}
		if p.nodes[j].barrier {
			if hazard == "" {
				s.t.Fatalf("the barrier before node %d keeps nothing apart", j)
			}
			since, count = j, count+1
		} else if hazard != "" {
			s.t.Fatalf("no barrier before node %d: %s", j, hazard)
		}
	}
	if p.Barriers() != count {
		s.t.Fatalf("%d barriers, want %d", p.Barriers(), count)
	}
}

// hazard says which arguments of nodes i and j may not be used at the same time, "" when all may.
func (s *sketch) hazard(spans Spans, i, j int) string {
	found := ""
	for _, a := range s.nodes[i] {
		for _, b := range s.nodes[j] {
			x, y := s.span(spans, a), s.span(spans, b)
			if (a.writes || b.writes) && x.Buffer == y.Buffer && x.Off < y.Off+y.Size && y.Off < x.Off+x.Size {
				found += fmt.Sprintf("node %d uses bytes %d+%d and node %d bytes %d+%d; ", i, x.Off, x.Size, j, y.Off, y.Size)
			}
		}
	}
	return found
}

// span is the memory that a recording would bind.
func (s *sketch) span(spans Spans, u touch) vk.Span {
	span, err := s.values[u.value].home.resolve(spans)
	if err != nil {
		s.t.Fatal(err)
	}
	return span
}

// TestArenaIsReused: a chain of values takes no more than two of them, and what is never alive with
// them goes into the same place.
func TestArenaIsReused(t *testing.T) {
	g := New(device)
	a := g.Temp(rows, widest)
	g.Copy(a, g.Slot("x", 0, rows, widest))
	for range 10 {
		b := g.Temp(rows, widest)
		stretch(g, b, a)
		a = b
	}
	g.Copy(g.Slot("y", 0, rows, widest), a)
	small := g.Temp(rows, 16)
	g.Copy(small, g.Slot("x", 0, rows, 16))
	if got, want := plan(t, g).Arena(), 2*a.Bytes(); got != want {
		t.Errorf("an arena of %d bytes, want %d", got, want)
	}
}

// TestBarriers counts barriers where it is plain how many there must be.
func TestBarriers(t *testing.T) {
	for _, test := range []struct {
		name string
		want int
		adds func(g *Graph, a, b, c, d Value)
	}{
		{"nothing in common", 0, func(g *Graph, a, b, c, d Value) { g.Copy(b, a); g.Copy(d, c) }},
		{"both read", 0, func(g *Graph, a, b, c, d Value) { g.Copy(b, a); g.Copy(c, a) }},
		{"read after write", 1, func(g *Graph, a, b, c, d Value) { g.Copy(b, a); g.Copy(c, b) }},
		{"write after read", 1, func(g *Graph, a, b, c, d Value) { g.Copy(b, a); g.Copy(a, c) }},
		{"write after write", 1, func(g *Graph, a, b, c, d Value) { g.Copy(b, a); g.Copy(b, c) }},
		{"two chains share one", 1, func(g *Graph, a, b, c, d Value) {
			x, y := g.Temp(rows, 64), g.Temp(rows, 64)
			stretch(g, x, a)
			stretch(g, y, b)
			stretch(g, c, x)
			stretch(g, d, y)
		}},
		{"parts of a slot", 0, func(g *Graph, a, b, c, d Value) {
			g.Copy(g.Slot("x", 0, 1, 64), a)
			g.Copy(g.Slot("x", 256, 1, 64), b)
		}},
		{"parts that overlap", 1, func(g *Graph, a, b, c, d Value) {
			g.Copy(g.Slot("x", 0, 2, 64), a)
			g.Copy(g.Slot("x", 256, 1, 64), b)
		}},
		{"parts that calls share out", 1, func(g *Graph, a, b, c, d Value) {
			x := g.Temp(1, 64)
			g.Copy(g.Part(x, 1), a)
			g.Copy(g.Part(x, 2), b)
			g.Copy(c, x)
		}},
		{"the same part", 1, func(g *Graph, a, b, c, d Value) {
			x := g.Temp(1, 64)
			g.Copy(g.Part(x, 2), a)
			g.Copy(g.Part(x, 2), b)
		}},
		{"a part and all", 1, func(g *Graph, a, b, c, d Value) {
			x := g.Temp(1, 64)
			g.Copy(g.Part(x, 2), a)
			g.Copy(x, b)
		}},
		{"parts of different values", 1, func(g *Graph, a, b, c, d Value) {
			g.Copy(g.Part(g.Slot("x", 0, 1, 64), 1), a)
			g.Copy(g.Part(g.Slot("x", 0, 1, 64), 2), b)
		}},
	} {
		g := New(device)
		size := 1
		if test.name == "two chains share one" {
			size = rows
		}
		test.adds(g, g.Slot("a", 0, size, 64), g.Slot("b", 0, size, 64), g.Slot("c", 0, size, 64), g.Slot("d", 0, size, 64))
		if got := plan(t, g).Barriers(); got != test.want {
			t.Errorf("%s: %d barriers, want %d", test.name, got, test.want)
		}
	}
}
