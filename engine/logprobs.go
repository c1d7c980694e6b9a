package engine

import (
	"math"
	"slices"
)

// logProbs are ln of the probability that logits give a token, and those of the n most likely of the first vocab
// tokens, of all with 0. They are of all logits.
func logProbs(logits []float32, token int32, n, vocab int) (float32, []TokenProb) {
	highest := slices.Max(logits)
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v) - float64(highest))
	}
	all := float64(highest) + math.Log(sum)
	prob := func(id int32) float32 { return float32(float64(logits[id]) - all) }
	if vocab == 0 || vocab > len(logits) {
		vocab = len(logits)
	}
	top := make([]TokenProb, 0, n+1)
	for id, v := range logits[:vocab] {
		if n == 0 || len(top) == n && v <= logits[top[n-1].ID] {
			continue
		}
		at := len(top)
		for at > 0 && v > logits[top[at-1].ID] {
			at--
		}
		top = slices.Insert(top, at, TokenProb{ID: int32(id)})
		top = top[:min(n, len(top))]
	}
	for i := range top {
		top[i].LogProb = prob(top[i].ID)
	}
	return prob(token), top
}
