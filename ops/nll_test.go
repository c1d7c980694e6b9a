package ops

import (
	"fmt"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

func TestNLL(t *testing.T) {
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		for _, vocab := range []int{1, 3, 8, 257, 1021} {
			for _, size := range []float64{1, 60, 3e4} { // up to logits whose exponentials overflow
				testNLL(t, access, T, vocab, size)
			}
		}
	})
}

// testNLL compares rows of logits, one longer and padded with what must not count.
func testNLL(t *testing.T, access graph.Access, T, vocab int, size float64) {
	t.Helper()
	r := newRig(t, access, T, 1, 0, 0)
	wide := Padded(vocab)
	logits, padded := r.random(T*vocab, size), make([]float32, T*wide)
	targets, words := make([]int32, T), make([]uint32, T)
	for i := range T {
		copy(padded[i*wide:(i+1)*wide], logits[i*vocab:(i+1)*vocab])
		for j := vocab; j < wide; j++ {
			padded[i*wide+j] = float32(2 * size)
		}
		targets[i] = int32(r.rng.IntN(vocab))
		words[i] = uint32(targets[i])
	}
	r.words("targets", words)
	y := r.value("y", T, 1, make([]float32, T))
	NLL(r.g, r.value("logits", T, wide, padded), r.g.Slot("targets", 0, T, 1), vocab, y)
	r.run(graph.Value{})
	near(t, fmt.Sprintf("vocabulary %d, logits up to %g", vocab, size), r.read("y"), ref.NLL(logits, targets, T, vocab))
}

// TestNLLOfSomeRows: rows beyond the pass's tokens stay as they are.
func TestNLLOfSomeRows(t *testing.T) {
	r := newRig(t, graph.New(device).Access(), 2, 1, 0, 0)
	r.words("targets", make([]uint32, 3))
	y := r.value("y", 3, 1, []float32{7, 7, 7})
	NLL(r.g, r.value("logits", 3, 8, make([]float32, 24)), r.g.Slot("targets", 0, 3, 1), 1, y)
	r.run(graph.Value{})
	near(t, "rows", r.read("y"), []float32{0, 0, 7})
}

// TestNLLOfAHugeVocabulary: where one loop would be too long for a software device, more invocations share
// the row.
func TestNLLOfAHugeVocabulary(t *testing.T) {
	for _, access := range accesses {
		testNLL(t, access, 1, 1<<21+5, 1)
	}
}

func BenchmarkNLL(b *testing.B) {
	for _, vocab := range []int{257, 50280} {
		benchmark(b, fmt.Sprintf("T=64/V=%d", vocab), 64, func(r *rig) {
			r.words("targets", make([]uint32, 64))
			NLL(r.g, r.value("logits", 64, Padded(vocab), r.random(64*Padded(vocab), 1)), r.g.Slot("targets", 0, 64, 1), vocab,
				r.value("y", 64, 1, make([]float32, 64)))
		})
	}
}
