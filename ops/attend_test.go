package ops

import (
	"fmt"
	"math"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// TestAttendOwnNotes: an attention sees its own keys among those of all layers, through a view of
// its query, no empty place, and nothing at all when its layer does not read.
func TestAttendOwnNotes(t *testing.T) {
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		for _, P := range []int{1, 2, 64, 65, 200} { // either side of a block of keys
			for index, gate := range []string{"none", "reads", "does not read"} {
				testAttend(t, access, T, P, index, gate)
			}
		}
	})
}

func testAttend(t *testing.T, access graph.Access, T, P, index int, gate string) {
	t.Helper()
	const layers, S, width = 3, 16, 13 // S is padded
	r := newRig(t, access, T, 1, 0, 0)
	n, pools, _ := scattered(r, layers, P, S)
	x, w := r.random(T*3*S, 1), r.random(layers*2*S*S, 0.3)
	weight := r.table(layers*2*S, S, w)
	a := Attention{KV: r.value("kv", layers*P, 2*S, make([]float32, layers*P*2*S)), Importances: n.Importances, Index: index, Width: width, Layer: 1}
	if gate != "none" {
		r.words("reads", []uint32{1, map[string]uint32{"reads": 1}[gate], 1})
		a.Reads = r.g.Slot("reads", 0, layers, 1)
	}
	Keys(r.g, Sources{n.Summaries, n.Importances}, weight, a.KV)
	y := r.run(Attend(r.g, "attend", r.g.Columns(r.value("x", T, 3*S, x), S, 2*S), a))

	want := make([]float32, T*S)
	if pool := pools[index]; gate != "does not read" && len(pool) > 0 {
		// The reference takes the middle third of x by its query projection, which also makes up for
		// its scale of 1/√S, and gives back what it mixed.
		q, one := make([]float32, S*3*S), make([]float32, 3*S*S)
		for i := range S {
			q[i*3*S+S+i] = float32(math.Sqrt(float64(S) / float64(width)))
			one[i*S+i] = 1
		}
		own := w[index*2*S*S:]
		summaries, importances := ref.Flat(pool)
		mixed := ref.PoolAttention(x, ref.Attention{Q: q, K: own[:S*S], V: own[S*S : 2*S*S], O: one}, summaries, importances, T, 3*S, S)
		for i := range T {
			copy(want[i*S:(i+1)*S], mixed[i*3*S:])
		}
	}
	near(t, fmt.Sprintf("P=%d index=%d gate=%s", P, index, gate), y, want)
}
