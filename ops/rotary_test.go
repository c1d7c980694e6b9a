package ops

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// cacheOf is a cache of the given number of rows of numbers, growing slots as a state has them.
func cacheOf(r *rig, width int, keys, values []float32) Cache {
	r.words("keys", bits(keys))
	r.words("values", bits(values))
	return Cache{r.g.Whole("keys", width), r.g.Whole("values", width)}
}

func TestRotary(t *testing.T) {
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		for _, c := range []struct{ heads, width, rotary, first int }{
			{1, 8, 8, 0}, {3, 10, 2, 7}, {2, 64, 16, 250}, {1, 20, 6, 70000}, {2, 12, 0, 1}, {5, 80, 80, 511},
		} {
			testRotary(t, access, T, Heads{c.heads, c.width}, c.rotary, c.first)
		}
	})
}

func testRotary(t *testing.T, access graph.Access, T int, h Heads, rotary, first int) {
	t.Helper()
	const base = 10000
	r := newRig(t, access, T, 1, 0, first)
	n := h.Count * h.Width
	q, k, v := r.random(T*n, 1), r.random(T*n, 1), r.random(T*n, 1)
	var rows []float32
	for i := 0; i < T*n; i += h.Width {
		for _, part := range [][]float32{q, k, v} {
			rows = append(rows, padRows(part[i:i+h.Width], h.Width)...)
		}
	}
	width := h.Count * h.D()
	before := r.random(first*width, 1)
	cache := cacheOf(r, width, append(slices.Clone(before), make([]float32, T*width)...), append(slices.Clone(before), make([]float32, T*width)...))
	numbers, high, wide := Turns(rotary, base, first+T)
	got := r.run(Rotary(r.g, r.value("qkv", T, 3*width, rows), h, r.table(high, wide, numbers), rotary, cache))
	what := fmt.Sprintf("%d heads of %d, %d turned, from %d", h.Count, h.Width, rotary, first)
	want := func(x []float32) []float32 {
		return padRows(ref.Rotary(x, T, h.Count, h.Width, rotary, base, first), h.Width)
	}
	near(t, what+": q", got, want(q))
	near(t, what+": keys", r.read("keys"), append(slices.Clone(before), want(k)...))
	near(t, what+": values", r.read("values"), append(before, padRows(v, h.Width)...))
}

func BenchmarkRotary(b *testing.B) {
	h := Heads{12, 64}
	for _, T := range []int{1, 512} {
		benchmark(b, fmt.Sprintf("%s/heads=12/D=64", mode(T)), T, func(r *rig) {
			numbers, rows, cols := Turns(16, 10000, 2048)
			cache := cacheOf(r, 768, make([]float32, T*768), make([]float32, T*768))
			Rotary(r.g, r.value("qkv", T, 3*768, r.random(T*3*768, 1)), h, r.table(rows, cols, numbers), 16, cache)
		})
	}
}
