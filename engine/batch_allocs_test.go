//go:build !race

// The race detector keeps objects of its own: what is counted here holds without it.

package engine_test

import (
	"context"
	"runtime"
	"testing"

	. "github.com/mmrun/mmrun/engine"
)

// texts is how many texts the batch has whose objects are counted.
const texts = 5

// steps takes the given number of tokens of every sequence and returns how many objects that took from Go's heap.
func steps(t *testing.T, b *Batch, n int) uint64 {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		if fresh, err := b.Next(context.Background()); err != nil || len(fresh) != texts {
			t.Fatalf("%d new tokens: %v", len(fresh), err)
		}
	}
	runtime.ReadMemStats(&after)
	return after.Mallocs - before.Mallocs
}

// TestBatchAllocatesNothing: more tokens take no more of Go's heap, also across windows that begin at
// different times.
func TestBatchAllocatesNothing(t *testing.T) {
	b := filled(t, wordy(t), texts)
	steps(t, b, 20) // makes what is kept
	few, many := steps(t, b, 9), steps(t, b, 25)
	for range 2 { // what the runtime does by itself is not the token's
		few, many = min(few, steps(t, b, 9)), min(many, steps(t, b, 25))
	}
	if many > few {
		t.Errorf("9 tokens take %d objects of the heap, 25 take %d", few, many)
	}
}
