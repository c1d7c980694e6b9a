package ops

import (
	"fmt"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

func TestEmbed(t *testing.T) {
	const vocab = 40
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		d := 24
		if T == 65 {
			d = 72 // some blocks
		}
		for _, kind := range matrices {
			d := d
			if T == 63 && kind.Weights > d {
				d = 2*kind.Weights + 8
			}
			r := newRig(t, access, T, 1, 0, 0)
			w, table := r.matrix(kind, vocab, d, r.random(vocab*d, 1))
			ids, words := make([]int32, T), make([]uint32, T)
			for i := range ids {
				ids[i] = int32(r.rng.IntN(vocab))
				words[i] = uint32(ids[i])
			}
			r.words("ids", words)
			near(t, kind.Name, r.run(Embed(r.g, r.g.Slot("ids", 0, T, 1), w)), ref.Embed(table, ids, d))
		}
	})
}

func BenchmarkEmbed(b *testing.B) {
	const vocab, d = 8192, 768
	for _, T := range []int{1, 512} {
		for _, kind := range matrices {
			benchmark(b, fmt.Sprintf("%s/type=%s/d=%d", mode(T), kind, d), T, func(r *rig) {
				w, _ := r.matrix(kind, vocab, d, r.random(vocab*d, 1))
				words := make([]uint32, T)
				for i := range words {
					words[i] = r.rng.Uint32N(vocab)
				}
				r.words("ids", words)
				Embed(r.g, r.g.Slot("ids", 0, T, 1), w)
			})
		}
	}
}
