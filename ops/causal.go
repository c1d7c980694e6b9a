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

// CausalSplits is how many splits attention over so many keys has, and the least that each of them has.
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
	}
	causalJoinPush struct{ head, heads, splits, least, count, width int }
)

// Causal returns softmax(q·k/√D) v of every token and head over the keys and values of its own token and
// all before it, in blocks with a running maximum (arXiv 2205.14135): no score leaves the kernel. The
// cache has the pass's own keys already; keys is how many it may ever have.
// Shapes: q (T, heads·D), the cache (tokens, heads·D), the result (T, heads·Width, padded as a whole).
func Causal(g *graph.Graph, q graph.Value, cache Cache, h Heads, keys int) graph.Value {
	y := g.Temp(q.Rows, Padded(h.Count*h.Width))
	if q.Cols != h.Count*h.D() || !q.Packed() || cache.Keys.Cols != q.Cols || cache.Values.Cols != q.Cols {
		mismatch(g, "causal", q.Shape(), cache.Keys.Shape())
		return y
	}
	if h.D() > MaxHead || keys < 1 {
		g.Fail(fmt.Errorf("causal: heads of %d over %d keys", h.D(), keys))
		return y
	}
	splits, least := CausalSplits(q.Rows, keys)
	parts := g.Temp(q.Rows*h.Count*splits, h.D()+4)
	spec := causalSpec{h.D() / 4, h.Count, splits}
	kernel, groups := graph.Kernel{Shader: "causal", Spec: spec}, q.Rows
	if g.Software() {
		lanes := fetchLanes(g)
		queries := min(lanes, uint32(q.Rows)) // that the lanes share
		kernel, groups = graph.Kernel{Shader: "causal_lanes", Spec: causalLanesSpec{spec, queries, lanes}}, graph.Groups(q.Rows, int(8/lanes*queries))
	}
	g.Call("attention", kernel, []graph.Value{params(g), q, cache.Keys, cache.Values, parts},
		causalPush{least, 1 / math.Sqrt(float64(h.Width))}, [3]int{groups, h.Count, splits},
		graph.Cost{Bytes: q.Bytes() + y.Bytes(), Flops: 4 * int64(q.Rows) * q.Bytes() / 8})
	g.Call("attention_join", graph.Kernel{Shader: "causal_join"}, []graph.Value{params(g), parts, y},
		causalJoinPush{h.D() / 4, h.Count, splits, least, h.Width, y.Cols}, [3]int{graph.Groups(y.Cols, 8), y.Rows, 1},
		graph.Cost{Bytes: 2 * y.Bytes()})
	return y
}
