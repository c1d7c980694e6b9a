package graph

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/vk"
)

// wantError fails the test unless err says want, on one line.
func wantError(t *testing.T, name string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: %v, want %q", name, err, want)
	}
}

// TestPlanRefuses: what a model may get wrong is told by Plan, the first of it only.
func TestPlanRefuses(t *testing.T) {
	small := newBuffer(t, 64).Whole()
	call := func(k Kernel, args int, push any, groups [3]int) func(g *Graph, x Value) {
		return func(g *Graph, x Value) { g.Call("op", k, slices.Repeat([]Value{x}, args), push, groups, Cost{}) }
	}
	norm, four, one := Kernel{Shader: "rmsnorm", Spec: normSpec{1}}, normPush{1, 0, 1, 0}, [3]int{1, 1, 1}
	for _, test := range []struct {
		name, want string
		adds       func(g *Graph, x Value)
	}{
		{"no shader", `op: shader "rmsform.` + string(New(device).Access()) + `" is not built in`, call(Kernel{Shader: "rmsform"}, 4, four, one)},
		{"few values", "has 4 bindings, got 3 values", call(norm, 3, four, one)},
		{"many values", "has 4 bindings, got 5 values", call(norm, 5, four, one)},
		{"no push constants", "push constant width is not given", call(norm, 4, nil, one)},
		{"no workgroups", "[1 0 1] workgroups, the device allows 1 to", call(norm, 4, four, [3]int{1, 0, 1})},
		{"too many workgroups", "[1 1 9223372036854775807] workgroups, the device allows 1 to", call(norm, 4, four, [3]int{1, 1, 1<<63 - 1})},
		{"no value", "binding 2 has no value", func(g *Graph, x Value) {
			g.Call("op", norm, []Value{x, x, {}, x}, four, one, Cost{})
		}},
		{"copy of more", "copy: 512 bytes into 256", func(g *Graph, x Value) { g.Copy(x, g.Temp(2, 64)) }},
		{"empty value", "value: shape [0 4] is empty", func(g *Graph, x Value) { g.Temp(0, 4) }},
		{"negative value", "value: shape [3 -4] is empty", func(g *Graph, x Value) { g.Slot("a", 0, 3, -4) }},
		{"columns in reverse", "columns [8 4) of shape [1 64]", func(g *Graph, x Value) { g.Columns(x, 8, 4) }},
		{"columns beyond", "columns [60 68) of shape [1 64]", func(g *Graph, x Value) { g.Columns(x, 60, 68) }},
		{"columns beyond a view", "columns [0 12) of shape [1 8]", func(g *Graph, x Value) { g.Columns(g.Columns(x, 8, 16), 0, 12) }},
		{"columns between vectors", "columns [2 8) of shape [1 64]", func(g *Graph, x Value) { g.Columns(x, 2, 8) }},
		{"slot between homes", "slot a: offset 100 is no multiple of 256", func(g *Graph, x Value) { g.Slot("a", 100, 1, 4) }},
		{"small constant", "constant: shape [1 17] needs 68 bytes, the span has 64", func(g *Graph, x Value) { g.Constant(small, 1, 17) }},
		{"nothing written", "stretch: a value of shape [3 8] is read before anything was written to it", func(g *Graph, x Value) {
			stretch(g, g.Temp(rows, 8), g.Temp(rows, 8))
		}},
		{"copy of nothing", "copy: a value of shape [1 64] is read before anything was written to it", func(g *Graph, x Value) { g.Copy(x, g.Temp(1, 64)) }},
	} {
		g := New(device)
		test.adds(g, g.Slot("x", 0, 1, 64))
		nodes := len(g.nodes)
		_, err := g.Plan()
		wantError(t, test.name, err, test.want)
		if g.Err() == nil {
			continue // found by the plan
		}
		g.Fail(errors.New("a later error"))
		stretch(g, g.Temp(rows, 8), g.Slot("y", 0, rows, 8))
		wantError(t, test.name+", then others", g.Err(), test.want)
		if len(g.nodes) != nodes {
			t.Errorf("%s: a call was added after it", test.name)
		}
	}
}

// TestRecordRefuses: memory that does not fit what was planned is not bound.
func TestRecordRefuses(t *testing.T) {
	g := New(device)
	chain(g)
	p := plan(t, g)
	newSpans(t, p.Arena(), 1024, "in", "out") // the first upload makes a command pool of its own
	before := device.Stats().Handles["command pool"]
	for _, test := range []struct {
		name, want string
		spoil      func(s *Spans)
	}{
		{"small arena", "arena: 256 bytes, the program needs 512", func(s *Spans) { s.Arena.Size = 256 }},
		{"no arena", "arena: 0 bytes, the program needs 512", func(s *Spans) { s.Arena = vk.Span{} }},
		{"no slot", "stretch: slot in is not bound", func(s *Spans) { delete(s.Slots, "in") }},
		{"small slot", "stretch: slot out has 687 bytes, 688 are needed", func(s *Spans) { s.Slots["out"] = s.Slots["out"].Buffer.Span(0, 687) }},
	} {
		s := newSpans(t, p.Arena(), 1024, "in", "out")
		test.spoil(&s)
		r, err := p.Record(s)
		wantError(t, test.name, err, test.want)
		if err == nil {
			r.Close()
		}
	}
	if after := device.Stats().Handles["command pool"]; after != before {
		t.Errorf("%d command pools after refused recordings, %d before", after, before)
	}
}

// TestUntimed: only a timed recording has times.
func TestUntimed(t *testing.T) {
	g := New(device)
	chain(g)
	p := plan(t, g)
	r := record(t, p, newSpans(t, p.Arena(), 1024, "in", "out"))
	if err := r.Run(); err != nil {
		t.Fatal(err)
	}
	_, err := r.Times()
	wantError(t, "times", err, "the recording has no time stamps")
}

// TestViews: a view is some columns of its value, in the same memory.
func TestViews(t *testing.T) {
	g := New(device)
	v := g.Temp(5, 64)
	view := g.Columns(g.Columns(v, 8, 48), 4, 20)
	if view.Rows != 5 || view.Cols != 16 || view.Stride != 64 || view.From != 12 {
		t.Errorf("view of a view: %+v", view)
	}
	if !v.Packed() || view.Packed() || g.Columns(v, 0, 60).Packed() || !g.Columns(v, 0, 64).Packed() {
		t.Error("packed are values, and views of all columns, only")
	}
	if got := view.Bytes(); got != 4*5*16 {
		t.Errorf("%d bytes in view, want %d", got, 4*5*16)
	}
	if view.home != v.home || view.Zero() || !(Value{}).Zero() {
		t.Error("a view has the home of its value")
	}
	if g.Err() != nil {
		t.Error(g.Err())
	}
	for _, n := range [][2]int64{{0, 0}, {1, 256}, {256, 256}, {257, 512}} {
		if got := Align(n[0]); got != n[1] {
			t.Errorf("Align(%d) is %d, want %d", n[0], got, n[1])
		}
	}
	for _, n := range [][3]int{{0, 8, 1}, {1, 8, 1}, {8, 8, 1}, {9, 8, 2}, {64, 8, 8}} {
		if got := Groups(n[0], n[1]); got != n[2] {
			t.Errorf("Groups(%d, %d) is %d, want %d", n[0], n[1], got, n[2])
		}
	}
}
