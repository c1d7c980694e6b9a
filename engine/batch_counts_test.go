package engine_test

import (
	"context"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/refmodel"
)

// filled is a batch of n endless texts.
func filled(t *testing.T, m *Model, n int) *Batch {
	t.Helper()
	b, s := newBatch(t, m, n), newState(t, m)
	for i := range n {
		if err := s.Reset(); err != nil {
			t.Fatal(err)
		}
		o := GenerateOptions{MaxTokens: 1000, Sample: ways[i%5], Stop: []int32{}}
		if _, err := b.Join(context.Background(), s, make([]int32, 1+i), o); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// TestCountsOfABatch: a step starts as many kernels for 64 sequences as for two, moves the weights once,
// and tells the host as little of each sequence as of one alone.
func TestCountsOfABatch(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	c := refmodel.Default(refmodel.MemMamba)
	c.Layers, c.Hidden, c.Vocab = 4, 64, 3000
	if err := refmodel.WriteRandom(dir, c, refmodel.Random{Seed: 1}); err != nil {
		t.Fatal(err)
	}
	m := openModel(t, dir, Options{Chunk: 16})
	b := newBatch(t, m, MaxBatch)
	var dispatches []int
	for _, rows := range []int{2, 8, MaxBatch} {
		step, choose, err := b.StepOf(rows)
		if err != nil {
			t.Fatal(err)
		}
		dispatches = append(dispatches, step.Dispatches()+choose.Dispatches())
		weights, own := m.Memory().Weights, int64(rows)*(2*m.Memory().State+4*int64(c.Vocab)+1<<18)
		if bytes := step.Cost().Bytes; bytes > weights+weights/10+own {
			t.Errorf("%d sequences move %d bytes, the weights have %d", rows, bytes, weights)
		}
	}
	if dispatches[0] != dispatches[1] || dispatches[0] != dispatches[2] {
		t.Errorf("%v dispatches a step", dispatches)
	}
	one := m.Step().Dispatches() + m.Choose().Dispatches()
	if dispatches[0] > one+c.Layers+1 { // every layer's norm, and the head's, once for all
		t.Errorf("%d dispatches a step, one token alone takes %d", dispatches[0], one)
	}
	if size := b.ChoiceBytes(); size != MaxBatch*1024 {
		t.Errorf("the host reads %d bytes a step", size)
	}
}

// TestBatchCloses: a closed batch leaves nothing behind, in the midst of a step too, and says that it
// is closed.
func TestBatchCloses(t *testing.T) {
	m := wordy(t)
	filled(t, m, 3).Close() // fills pools and makes pipelines, which stay
	state := newState(t, m)
	before := m.VK().Stats()
	b, err := m.NewBatch(3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Join(context.Background(), state, []int32{1}, GenerateOptions{MaxTokens: 9, Stop: []int32{}}); err != nil {
		t.Fatal(err)
	}
	steps := 0
	for ; steps < 3; steps++ {
		if _, err := b.Next(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	b.Close()
	b.Close()
	state.CloseRecordings()
	after := m.VK().Stats()
	for _, s := range []map[string]int{before.Handles, after.Handles} {
		delete(s, "fence") // kept for the next submission
	}
	if after.DeviceUsed != before.DeviceUsed || after.HostUsed != before.HostUsed || !maps.Equal(after.Handles, before.Handles) {
		t.Errorf("%+v is left, %+v was there", after, before)
	}
	if _, err := b.Next(context.Background()); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("Next of a closed batch: %v", err)
	}
}

// TestBatchRefuses: what a batch cannot do it says.
func TestBatchRefuses(t *testing.T) {
	m := wordy(t)
	for _, n := range []int{0, MaxBatch + 1} {
		if _, err := m.NewBatch(n); err == nil || !strings.Contains(err.Error(), "1 to 64") {
			t.Errorf("batch of %d: %v", n, err)
		}
	}
	b, s := filled(t, m, 1), newState(t, m)
	o := GenerateOptions{MaxTokens: 3}
	if _, err := b.Join(context.Background(), s, []int32{1}, o); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("a second sequence in a batch of one: %v", err)
	}
	b = newBatch(t, m, 1)
	for want, one := range map[string]task{
		"outside the vocabulary": {[]int32{3001}, o},
		"no tokens given":        {nil, o},
		"0 tokens to generate":   {[]int32{1}, GenerateOptions{}},
	} {
		if _, err := b.Join(context.Background(), s, one.prompt, one.o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.Next(ctx); err != context.Canceled || b.Room() != 1 {
		t.Errorf("after its end: %v, room for %d", err, b.Room())
	}
}
