package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/engine"
)

// TestBenchContext: every test starts from every context, and memory does not grow with it.
func TestBenchContext(t *testing.T) {
	var r benchReport
	out := succeed(t, "bench", "--json", "--context", "700, 7,2000", "-p", "20", "-n", "3", "-r", "2", "--chunk", "64", "--model", goldenDir("memmamba-fifo"))
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, result := range r.Results {
		got = append(got, fmt.Sprint(result.Test, " ", result.Context))
		if len(result.Samples) != 2 || result.Mean <= 0 {
			t.Errorf("%+v", result)
		}
	}
	if want := []string{"prompt 7", "prompt 700", "prompt 2000", "generate 7", "generate 700", "generate 2000"}; !slices.Equal(got, want) {
		t.Errorf("tests %q, want %q", got, want)
	}
	if first := (&benchmark{points: r.Contexts, results: r.Results}).first(); len(first) != 2 || first[1] != r.Results[3] {
		t.Errorf("results at the first context: %+v", first)
	}
	_, err := os.Stat("/proc/self/statm")
	for i, p := range r.Contexts {
		if want := []int{7, 700, 2000}[i]; p.Context != want || p.Rate <= 0 || p.Device != r.Contexts[0].Device || (p.Host > 0) != (err == nil) {
			t.Errorf("context %d: %+v, the first %+v", want, p, r.Contexts[0])
		}
		if grown := p.Host - r.Contexts[0].Host; grown > 8<<20 {
			t.Errorf("context %d: the process takes %s more than at the first", p.Context, formatBytes(grown))
		}
	}
	text := succeed(t, "bench", "-q", "--context", "0,30", "-p", "0", "-n", "2", "-r", "1", "--model", goldenDir("mamba-tiny"))
	for _, line := range []string{"\ncontext  read tokens/s  host memory  device memory\n", "\n      0              –  ", "\ngenerate       30       2  "} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
}

// TestBenchContextStarts: what is kept of a context is a sequence of the given number of tokens.
func TestBenchContextStarts(t *testing.T) {
	points, err := contextFlag("90,0,33")
	if err != nil {
		t.Fatal(err)
	}
	b := newBenchmark(t, goldenDir("memmamba-token"))
	b.points = points
	if err := b.walk(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int64{0, 33, 90} {
		if err := b.state.UnmarshalBinary(points[i].saved); err != nil || b.state.Position() != want {
			t.Errorf("place %d is after %d tokens (%v), want %d", i, b.state.Position(), err, want)
		}
	}
}

// newBenchmark is one of an open model and a fresh state.
func newBenchmark(t *testing.T, dir string) *benchmark {
	t.Helper()
	m, err := engine.Open(openSource(t, dir), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	state, err := m.NewState()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(state.Close)
	return &benchmark{opened: &opened{Model: m, console: &console{quiet: true}}, state: state}
}
