package refmodel

import (
	"math"
	"math/rand/v2"
	"slices"
)

// disturbed is the model with every projection rounded otherwise than it was: a float32's worth of noise.
func (m *Model) disturbed(seed uint64) *Model {
	rng := rand.New(rand.NewPCG(seed, 1))
	noisy := func(w matrix) matrix {
		w.w = slices.Clone(w.w)
		for i := range w.w {
			w.w[i] *= 1 + rng.NormFloat64()*0x1p-24
		}
		return w
	}
	d := *m
	d.embeddings, d.head, d.layers = noisy(m.embeddings), noisy(m.head), slices.Clone(m.layers)
	for l := range d.layers {
		w := &d.layers[l]
		for _, one := range []*matrix{&w.inProj, &w.xProj, &w.dtProj, &w.out, &w.conv, &w.aLog, &w.noteProj,
			&w.token.q, &w.token.k, &w.token.v, &w.token.o, &w.cross.q, &w.cross.k, &w.cross.v, &w.cross.o} {
			*one = noisy(*one)
		}
	}
	return &d
}

// near reports whether all logits are those of other within tolerance·(1 + |logit|).
func (r Result) near(other Result, tolerance float64) bool {
	for t, row := range r.Logits {
		for i, v := range row {
			if !(math.Abs(v-other.Logits[t][i]) <= tolerance*(1+math.Abs(v))) {
				return false
			}
		}
	}
	return true
}
