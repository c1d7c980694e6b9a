package ops

import (
	"fmt"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

func TestCausal(t *testing.T) {
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		for _, c := range []struct{ heads, width, first, keys int }{
			{1, 8, 0, 2048}, {3, 10, 1, 300}, {2, 64, 200, 2048}, {1, 80, 63, 100000}, {2, 7, 127, 400}, {1, 256, 64, 322},
		} {
			testCausal(t, access, T, Heads{c.heads, c.width}, c.first, c.keys)
		}
	})
}

func testCausal(t *testing.T, access graph.Access, T int, h Heads, first, keys int) {
	t.Helper()
	r := newRig(t, access, T, 1, 0, first)
	n := h.Count * h.Width
	q, k, v := r.random(T*n, 3), r.random((first+T)*n, 3), r.random((first+T)*n, 1)
	width := h.Count * h.D()
	cache := cacheOf(r, width, padRows(k, h.Width), padRows(v, h.Width))
	got := r.run(Causal(r.g, r.value("q", T, width, padRows(q, h.Width)), cache, h, keys))
	near(t, fmt.Sprintf("%d heads of %d from %d, up to %d", h.Count, h.Width, first, keys), got,
		padRows(ref.Causal(q, k, v, T, h.Count, h.Width, first), n))
}

// TestCausalFar sees every key of a context so long that one invocation cannot go through it.
func TestCausalFar(t *testing.T) {
	for _, access := range accesses {
		for _, T := range []int{1, 10} {
			testCausal(t, access, T, Heads{1, 8}, 70000, 80000)
		}
	}
}

// TestCausalSplits: no split has more keys than its loops take, and a pass of many tokens few splits.
func TestCausalSplits(t *testing.T) {
	for _, keys := range []int{1, 128, 2048, 8192, 8193, 65536, 1 << 20} {
		for _, tokens := range []int{1, 512} {
			splits, least := CausalSplits(tokens, keys)
			if splits < 1 || least < 1 || (keys+splits-1)/splits > causalMost || tokens > 1 && splits > 1+keys/causalMost {
				t.Errorf("%d tokens, %d keys: %d splits of at least %d", tokens, keys, splits, least)
			}
		}
	}
}

// TestCausalInPart leaves alone what a pass of fewer tokens has no row for.
func TestCausalInPart(t *testing.T) {
	const rows, tokens = 20, 11
	h := Heads{2, 8}
	for _, access := range accesses {
		r := newRig(t, access, tokens, 1, 0, 5)
		q, k, v := r.random(rows*16, 1), r.random((5+rows)*16, 1), r.random((5+rows)*16, 1)
		got := r.run(Causal(r.g, r.value("q", rows, 16, q), cacheOf(r, 16, k, v), h, 100))
		near(t, string(access), got[:tokens*16], ref.Causal(q[:tokens*16], k, v, tokens, 2, 8, 5))
		near(t, string(access)+" behind", got[tokens*16:], make([]float32, (rows-tokens)*16))
	}
}

func BenchmarkCausal(b *testing.B) {
	for _, h := range []Heads{{1, 64}, {12, 64}} {
		for _, c := range [][2]int{{1, 2047}, {1, 65535}, {512, 1536}, {512, 7680}} {
			T, first := c[0], c[1]
			benchmark(b, fmt.Sprintf("%s/heads=%d/D=64/context=%d", mode(T), h.Count, first+T), T, func(r *rig) {
				r.params(T, []int{0}, []int{first})
				width, rows := h.Count*h.D(), first+T
				cache := cacheOf(r, width, r.random(rows*width, 1), r.random(rows*width, 1))
				Causal(r.g, r.value("q", T, width, r.random(T*width, 1)), cache, h, rows)
			})
		}
	}
}
