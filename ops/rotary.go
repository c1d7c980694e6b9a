package ops

import (
	"fmt"
	"math"

	"github.com/mmrun/mmrun/graph"
)

// A Cache has the keys and values of a sequence's tokens so far in one layer, every head of each row
// padded: (tokens, heads·D) both. Each row of the state has its own.
type Cache struct {
	Keys, Values graph.Value
}

// Heads are those of an attention. Width is the size of one, D is that padded.
type Heads struct {
	Count, Width int
}

// D is the padded size of a head.
func (h Heads) D() int { return Padded(h.Width) }

// turnSteps is how many positions the table of turns has before it goes on in steps of that many: two
// turns make one, of any position, and both come from float64.
const turnSteps = 256

// Turns returns the table by which Rotary turns: the cosine and sine of position · base^(-2i/rotary) for
// each of rotary/2 pairs, for positions below 256 and then for the multiples of it up to the last of
// the given number of positions.
// Shape: (rows, cols).
func Turns(rotary int, base float64, positions int) (table []float32, rows, cols int) {
	rows, cols = turnSteps+(positions+turnSteps-1)/turnSteps, Padded(max(rotary, 1))
	table = make([]float32, rows*cols)
	for row := range rows {
		position := row
		if row >= turnSteps {
			position = (row - turnSteps) * turnSteps
		}
		for i := range rotary / 2 {
			sin, cos := math.Sincos(float64(position) * math.Pow(base, -2*float64(i)/float64(rotary)))
			table[row*cols+2*i], table[row*cols+2*i+1] = float32(cos), float32(sin)
		}
	}
	return table, rows, cols
}

type (
	rotarySpec struct{ rotary, steps int }
	rotaryPush struct{ head, heads, table, row int }
)

// Rotary takes rows of [q k v], head by head, apart: it turns the first rotary numbers of every query and
// key by the token's position (arXiv 2104.09864), appends keys and values to the cache, and returns
// the queries. Numbers i and i + rotary/2 of a head are a pair, as in GPT-NeoX.
// Shapes: qkv (T, heads·3·D), turns as Turns has them, the cache long enough, the result (T, heads·D).
func Rotary(g *graph.Graph, qkv graph.Value, h Heads, turns Weight, rotary int, cache Cache) graph.Value {
	q := g.Temp(qkv.Rows, h.Count*h.D())
	rotate(g, q, qkv, h, turns, rotary, []Cache{cache}, qkv.Rows)
	return q
}

// RotaryEach is Rotary for one token of each of several sequences; caches are by row of the state. Rows of
// the state that no sequence has are left alone.
// Shapes: qkv (B, heads·3·D), the result (B, heads·D).
func RotaryEach(g *graph.Graph, qkv graph.Value, h Heads, turns Weight, rotary int, caches []Cache) graph.Value {
	q := g.Temp(qkv.Rows, h.Count*h.D())
	rotate(g, q, qkv, h, turns, rotary, caches, 1)
	return q
}

// fit says whether all caches are of rows so wide, and that there are any.
func fit(g *graph.Graph, op string, caches []Cache, x graph.Value, cols int) bool {
	if len(caches) < 1 || len(caches) > MaxSequences {
		g.Fail(fmt.Errorf("%s: caches of %d sequences", op, len(caches)))
		return false
	}
	for _, c := range caches {
		if c.Keys.Cols != cols || c.Values.Cols != cols {
			mismatch(g, op, x.Shape(), c.Keys.Shape())
			return false
		}
	}
	return true
}

func rotate(g *graph.Graph, q, qkv graph.Value, h Heads, turns Weight, rotary int, caches []Cache, tokens int) {
	if qkv.Cols != 3*q.Cols || !qkv.Packed() {
		mismatch(g, "rotary", qkv.Shape(), q.Shape())
		return
	}
	if !fit(g, "rotary", caches, qkv, q.Cols) {
		return
	}
	if rotary < 0 || rotary > h.Width || rotary%2 != 0 || turns.Cols != Padded(max(rotary, 1)) {
		g.Fail(fmt.Errorf("rotary: %d numbers of a head of %d, with turns of shape [%d %d]", rotary, h.Width, turns.Rows, turns.Cols))
		return
	}
	for row, cache := range caches {
		g.Call("rotary", graph.Kernel{Shader: "rotary", Spec: rotarySpec{rotary, turnSteps}},
			[]graph.Value{params(g), qkv, turns.table(g, "rotary"), g.Part(q, row+1), cache.Keys, cache.Values},
			rotaryPush{h.D() / 4, h.Count, turns.Cols / 4, row}, [3]int{graph.Groups(q.Cols/4, 8), graph.Groups(tokens, 8), 1},
			graph.Cost{Bytes: 8 * int64(tokens) * int64(qkv.Cols), Flops: 8 * int64(tokens) * int64(h.Count) * int64(rotary)})
	}
}
