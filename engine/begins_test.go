package engine_test

import (
	"context"
	"fmt"
	"testing"

	. "github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/refmodel"
	"github.com/mmrun/mmrun/sample"
)

// windowed opens a random MemMamba with windows of the given number of tokens.
func windowed(t *testing.T, window int, threshold float64) *Model {
	t.Helper()
	return openModel(t, writeModel(t, small(func(c *refmodel.Config) {
		c.Window, c.StateThreshold, c.Vocab = window, threshold, 2*ChooseFrom
	})), Options{Chunk: 16})
}

// TestCountsOfWindows: what is due in a batch whose windows begin together is one program of as many kernels
// and barriers as for one sequence, and goes to the device with the step and the choice in one submission.
func TestCountsOfWindows(t *testing.T) {
	for window, threshold := range map[int]float64{1: 0.5, 8: 0} {
		m := windowed(t, window, threshold)
		b, alone := newBatch(t, m, MaxBatch), m.Begin()
		for _, rows := range []int{1, 8, MaxBatch} {
			begin, err := b.BeginOf(rows)
			if err != nil {
				t.Fatal(err)
			}
			if begin.Dispatches() != alone.Dispatches() || begin.Barriers() != alone.Barriers() || alone.Dispatches() > 8 {
				t.Errorf("τ2 = %g: %d kernels and %d barriers for %d windows, %d and %d for a sequence alone",
					threshold, begin.Dispatches(), begin.Barriers(), rows, alone.Dispatches(), alone.Barriers())
			}
		}
		countWindows(t, m, window)
	}
}

// countWindows counts what a batch of 8 at the same position sends to the device.
func countWindows(t *testing.T, m *Model, window int) {
	t.Helper()
	b, s := newBatch(t, m, 8), newState(t, m)
	for range 8 {
		if err := s.Reset(); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Join(context.Background(), s, []int32{1}, GenerateOptions{MaxTokens: 100, Stop: []int32{}}); err != nil {
			t.Fatal(err)
		}
	}
	for at := 1; at < 20; at++ { // tokens fed before the step
		before := m.VK().Stats().Submissions
		if _, err := b.Next(context.Background()); err != nil {
			t.Fatal(err)
		}
		want := 2 // the step and the choice
		if at%window == 0 {
			want++
		}
		if got := b.Submitted(); got != want {
			t.Errorf("windows of %d: %d programs at token %d, want %d", window, got, at, want)
		}
		if n := m.VK().Stats().Submissions - before; n != 1 && at > 1 {
			t.Errorf("windows of %d: %d submissions at token %d", window, n, at)
		}
	}
}

// TestWindowsOfABatch: sequences whose windows begin together, in rows of any order, and others between them
// have the texts, logits and parts of each alone, to the bit; also where the host has a memory of its own.
func TestWindowsOfABatch(t *testing.T) {
	for _, window := range []int{1, 8} {
		for _, threshold := range []float64{0, 0.5} {
			t.Run(fmt.Sprintf("W=%d/τ2=%g", window, threshold), func(t *testing.T) {
				m := windowed(t, window, threshold)
				if window == 8 && threshold > 0 {
					separate(t, m)
				}
				text := refmodel.RandomTokens(refmodel.Config{Vocab: 2 * ChooseFrom}, 5, 60)
				var tasks []task
				for i := range 12 { // rows are taken anew as texts end
					o := GenerateOptions{MaxTokens: 7 + 5*i%11, Stop: []int32{}}
					if i%2 == 1 {
						o.Sample = sample.Options{Temperature: 0.9, TopK: 20, Seed: uint64(i)}
					}
					tasks = append(tasks, task{text[i:][:12+8*(i%2)+i%5/4], o})
				}
				compareTogether(t, m, newBatch(t, m, 8), tasks, func() bool { return true })
			})
		}
	}
}
