package ops

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
	"github.com/mmrun/mmrun/vk"
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

// TestLogitRows: as many rows as a binding holds, of vocabularies for which 64 are too many as well.
func TestLogitRows(t *testing.T) {
	small := vk.Limits{MaxStorageBufferRange: 128 << 20, MaxTexelBufferElements: 1 << 27}
	texels := vk.Limits{MaxStorageBufferRange: 1 << 30, MaxTexelBufferElements: 1 << 16}
	for _, test := range []struct {
		limits      vk.Limits
		vocab, want int
	}{
		{small, 1, 64}, {small, 50280, 64}, {small, 524288, 64}, {small, 524289, 32}, {small, 1 << 20, 32}, {small, 1<<20 + 1, 16},
		{small, 1 << 25, 1}, {small, 1<<25 + 1, 0}, {texels, 4096, 64}, {texels, 4097, 32},
	} {
		if got := LogitRows(test.limits, test.vocab, 64); got != test.want {
			t.Errorf("a vocabulary of %d: %d rows, want %d", test.vocab, got, test.want)
		}
	}
}

// TestScoreInSmallBlocks: blocks of few rows of a vocabulary of which 64 exceed a binding of 128 MiB come to
// the logits and surprises that larger blocks come to, to the bit.
func TestScoreInSmallBlocks(t *testing.T) {
	const d, T = 8, 16
	scored := func(access graph.Access, vocab, rows, from int) (logits, nats []float32) {
		r := newRig(t, access, rows, 1, 0, 0)
		x, weights := r.random(T*d, 1), r.random(vocab*d, 1)
		w, kept := r.matrix(F32, vocab, d, weights)
		targets, words := make([]int32, rows), make([]uint32, rows)
		for i := range words {
			words[i] = uint32((from + i) * (vocab - 1) / T)
			targets[i] = int32(words[i])
		}
		r.words("targets", words)
		some := x[from*d : (from+rows)*d]
		all := Linear(r.g, "head", r.value("x", rows, d, some), w, Finish{})
		y := r.value("y", rows, 1, make([]float32, rows))
		NLL(r.g, all, r.g.Slot("targets", 0, rows, 1), vocab, y)
		logits = r.run(all)
		nats = r.read("y")
		if rows < T {
			want := ref.Linear(some, kept, nil, rows, d, vocab)
			near(t, "surprises", nats, ref.NLL(want, targets, rows, vocab))
		}
		return logits, nats
	}
	for i, access := range append([]graph.Access{graph.New(device).Access()}, accesses...) {
		vocab := 3001
		if i == 0 {
			vocab = 524289
		}
		logits, nats := scored(access, vocab, T, 0)
		for _, from := range []int{0, 8} {
			const rows = 8
			own, few := scored(access, vocab, rows, from)
			if !slices.Equal(few, nats[from:from+rows]) || !slices.Equal(own, logits[from*Padded(vocab):(from+rows)*Padded(vocab)]) {
				t.Errorf("%s, vocabulary %d: rows from %d on differ", access, vocab, from)
			}
		}
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
