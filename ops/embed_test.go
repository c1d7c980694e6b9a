package ops

import (
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

func TestEmbed(t *testing.T) {
	const vocab, d = 40, 24
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		for _, kind := range types {
			r := newRig(t, access, T, 1, 0, 0)
			w, table := r.weight(kind, vocab, d, r.random(vocab*d, 1))
			ids, words := make([]int32, T), make([]uint32, T)
			for i := range ids {
				ids[i] = int32(r.rng.IntN(vocab))
				words[i] = uint32(ids[i])
			}
			r.words("ids", words)
			near(t, string(kind), r.run(Embed(r.g, r.g.Slot("ids", 0, T, 1), w)), ref.Embed(table, ids, d))
		}
	})
}
