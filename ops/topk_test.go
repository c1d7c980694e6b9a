package ops

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// ranges are logits that are hard to choose among.
var ranges = map[string]func(r *rig, i, vocab int) float32{
	"random":   func(r *rig, _, _ int) float32 { return float32(r.rng.NormFloat64() * 3) },
	"ties":     func(r *rig, _, _ int) float32 { return float32(r.rng.IntN(3) - 1) },
	"all one":  func(*rig, int, int) float32 { return -2 },
	"rising":   func(_ *rig, i, _ int) float32 { return float32(i) },
	"falling":  func(_ *rig, i, _ int) float32 { return float32(-i) },
	"zeros":    func(_ *rig, i, _ int) float32 { return float32(math.Copysign(0, float64(i%2)-0.5)) },
	"last":     func(_ *rig, i, vocab int) float32 { return float32(i / max(1, vocab-1)) },
	"infinite": func(r *rig, _, _ int) float32 { return float32(math.Inf(-1 + 2*r.rng.IntN(2))) },
	"few":      func(r *rig, i, _ int) float32 { return float32(math.Inf(-1)) * float32(min(i%97, 1)) },
}

// TestTopK holds choices against a sort, by the bits of the logits; the padding of a row is never chosen.
func TestTopK(t *testing.T) {
	for _, access := range accesses {
		for _, vocab := range []int{1, 2, 8, 63, 64, 65, 257, 2049, 50277} {
			for name, number := range ranges {
				t.Run(fmt.Sprintf("%s/vocab=%d/%s", access, vocab, name), func(t *testing.T) {
					for _, k := range []int{1, 2, 64, 127, MaxTop} {
						testTopK(t, access, min(k, vocab), vocab, number)
					}
				})
			}
		}
	}
}

func testTopK(t *testing.T, access graph.Access, k, vocab int, number func(*rig, int, int) float32) {
	t.Helper()
	const rows, used = 3, 2 // the last row is no sequence's
	r := newRig(t, access, 1, used, 0, 0)
	cols := Padded(vocab)
	logits := make([]float32, rows*cols)
	for i := range logits {
		if logits[i] = float32(math.NaN()); i%cols < vocab {
			logits[i] = number(r, i%cols, vocab)
		}
	}
	top := r.value("top", rows, 2*k, make([]float32, rows*2*k))
	TopK(r.g, top, r.value("logits", rows, cols, logits), vocab)
	r.run(graph.Value{})
	got := bits(r.read("top"))
	for row := range used {
		byID(got[row*2*k : (row+1)*2*k])
	}
	var want []uint32
	for row := range used {
		line := logits[row*cols : row*cols+vocab]
		best := ref.TopK(line, k)
		for _, id := range best {
			want = append(want, uint32(id))
		}
		for _, id := range best {
			want = append(want, math.Float32bits(line[id]))
		}
	}
	if want = append(want, make([]uint32, 2*k)...); !slices.Equal(got, want) {
		t.Fatalf("k=%d: got %v, want %v", k, got, want)
	}
}

// byID sorts a row of choices: ids, then as many logits.
func byID(row []uint32) {
	k := len(row) / 2
	at := map[uint32]uint32{}
	for i, id := range row[:k] {
		at[id] = row[k+i]
	}
	slices.Sort(row[:k])
	for i, id := range row[:k] {
		row[k+i] = at[id]
	}
}

// TestTopKSeesNaN: a NaN of either sign is chosen before everything else.
func TestTopKSeesNaN(t *testing.T) {
	for _, access := range accesses {
		for _, bad := range []uint32{0x7fc00000, 0xffc00000, 0x7f800001} {
			r := newRig(t, access, 1, 1, 0, 0)
			logits := r.random(1000, 1)
			logits[700] = math.Float32frombits(bad)
			top := r.value("top", 1, 2, make([]float32, 2))
			TopK(r.g, top, r.value("logits", 1, 1000, logits), 1000)
			r.run(graph.Value{})
			if got := bits(r.read("top")); got[0] != 700 {
				t.Errorf("%s: chose %d, want the NaN %#x at 700", access, got[0], bad)
			}
		}
	}
}

func TestTopKRefuses(t *testing.T) {
	for _, test := range []struct {
		k, cols, vocab int
		want           string
	}{
		{MaxTop + 1, 200, 200, "topk: 129 of 200 numbers in rows of 200"},
		{9, 16, 8, "topk: 9 of 8 numbers in rows of 16"},
		{1, 16, 17, "topk: 1 of 17 numbers in rows of 16"},
	} {
		g := graph.New(device)
		TopK(g, g.Temp(1, 2*test.k), g.Temp(1, test.cols), test.vocab)
		if err := g.Err(); err == nil || err.Error() != test.want {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

func BenchmarkTopK(b *testing.B) {
	const vocab = 50280
	for _, k := range []int{1, MaxTop} {
		benchmark(b, fmt.Sprintf("%s/k=%d/vocab=%d", mode(1), k, vocab), 1, func(r *rig) {
			top := r.value("top", 1, 2*k, make([]float32, 2*k))
			TopK(r.g, top, r.value("logits", 1, vocab, r.random(vocab, 5)), vocab)
		})
	}
}
