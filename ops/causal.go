package ops

import (
	"fmt"
	"math"

	"github.com/mmrun/mmrun/graph"
)

// MaxHead is the largest head that Causal takes.
const MaxHead = 256

// How Causal cuts the keys into splits. None may have more keys than a software device takes without
// running into the end of its loops, and few keys are not worth the work of many splits.
const (
	causalMost  = 8192 // keys of a split
	causalLeast = 128
	causalMany  = 16 // splits of a single token, which has nothing else to share out
)

// CausalSplits is how many splits attention over the given number of keys has, and the least that each of them has.
func CausalSplits(tokens, keys int) (splits, least int) {
	splits = (keys + causalMost - 1) / causalMost
	if tokens > 1 {
		return splits, causalMost / 8
	}
	return max(splits, min(causalMany, (keys+causalLeast-1)/causalLeast)), causalLeast
}

type (
	causalSpec      struct{ head, heads, splits int }
	causalLanesSpec struct {
		causalSpec
		queries, lanes uint32
	}
	causalPush struct {
		least int
		scale float64
		row   int
	}
	causalJoinPush struct{ head, heads, splits, least, count, width int }
)

// Causal returns softmax(q·k/√D) v of every token and head over the keys and values of its own token and
// all before it, in blocks with a running maximum (arXiv 2205.14135): no score leaves the kernel. The
// cache has the pass's own keys already; keys is how many it may ever have.
// Shapes: q (T, heads·D), the cache (tokens, heads·D), the result (T, heads·Width, padded as a whole).
func Causal(g *graph.Graph, q graph.Value, cache Cache, h Heads, keys int) graph.Value {
	return attention(g, q, []Cache{cache}, h, keys, q.Rows)
}

// CausalEach is Causal for one token of each of several sequences; caches are by row of the state. A token
// comes to exactly what it comes to alone. Rows of the state that no sequence has are left alone.
// Shapes: q (B, heads·D), the result (B, heads·Width, padded as a whole).
func CausalEach(g *graph.Graph, q graph.Value, caches []Cache, h Heads, keys int) graph.Value {
	return attention(g, q, caches, h, keys, 1)
}

// attention is for the given number of tokens of each sequence.
func attention(g *graph.Graph, q graph.Value, caches []Cache, h Heads, keys, tokens int) graph.Value {
	y := g.Temp(q.Rows, Padded(h.Count*h.Width))
	if q.Cols != h.Count*h.D() || !q.Packed() {
		mismatch(g, "causal", q.Shape(), []int{h.Count, h.D()})
		return y
	}
	if !fit(g, "causal", caches, q, q.Cols) {
		return y
	}
	if h.D() > MaxHead || keys < 1 {
		g.Fail(fmt.Errorf("causal: heads of %d over %d keys", h.D(), keys))
		return y
	}
	splits, least := CausalSplits(tokens, keys)
	parts := g.Temp(q.Rows*h.Count*splits, h.D()+4)
	spec := causalSpec{h.D() / 4, h.Count, splits}
	kernel, groups := graph.Kernel{Shader: "causal", Spec: spec}, tokens
	if g.Software() {
		lanes := fetchLanes(g)
		queries := min(lanes, uint32(tokens)) // that the lanes share
		kernel, groups = graph.Kernel{Shader: "causal_lanes", Spec: causalLanesSpec{spec, queries, lanes}}, graph.Groups(tokens, int(8/lanes*queries))
	}
	// Queries come in and sums go out; of every token seen there are keys and values.
	T, width := int64(tokens), int64(q.Cols)
	token, pair := 2*width, 4*width
	for row, cache := range caches {
		g.Call("attention", kernel, []graph.Value{params(g), q, cache.Keys, cache.Values, g.Part(parts, row+1)},
			causalPush{least, 1 / math.Sqrt(float64(h.Width)), row}, [3]int{groups, h.Count, splits},
			graph.Cost{Bytes: 4 * T * (2*width + token), Flops: T * (T + 1) / 2 * pair})
		g.Grow(graph.Growth{Each: graph.Cost{Bytes: 4 * token, Flops: T * pair}, Row: row, Most: int64(keys)})
	}
	g.Call("attention_join", graph.Kernel{Shader: "causal_join"}, []graph.Value{params(g), parts, y},
		causalJoinPush{h.D() / 4, h.Count, splits, least, h.Width, y.Cols}, [3]int{graph.Groups(y.Cols, 8), y.Rows, 1},
		graph.Cost{Bytes: 2 * y.Bytes()})
	return y
}
