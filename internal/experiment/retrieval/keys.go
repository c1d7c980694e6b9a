package retrieval

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/mmrun/mmrun/internal/experiment/corpus"
)

// The texts of the task of several keys, each encoded by itself.
const (
	namedNeedle   = " The pass key of %[1]s is %[2]s. Remember it. %[2]s is the pass key of %[1]s."
	namedQuestion = " What is the pass key of %[1]s? The pass key of %[1]s is"
)

// KeyKinds are how many keys a prompt has and which of them is asked for: a single one; one of several; one of
// several that was told twice, of which the last counts.
var KeyKinds = []string{"single", "several", "overwritten"}

// Keys is the task of telling one named key of several that are hidden in a filler.
type Keys struct {
	*Passkey
	count int
}

// NewKeys prepares the task for a tokenizer, with the given number of names where there are several. A nil filler is the
// passkey task's.
func NewKeys(encode corpus.Encoder, filler []int32, count int) (*Keys, error) {
	if count < 2 || count > MostDocuments {
		return nil, fmt.Errorf("%d keys are not within 2 to %d", count, MostDocuments)
	}
	p, err := NewPasskey(encode, filler)
	return &Keys{p, count}, err
}

// Prompt returns a trial's prompt of a kind, of length tokens. The others are all keys that are not the answer, the
// overwritten one among them.
func (k *Keys) Prompt(seed uint64, kind string, length, trial int) (Prompt, error) {
	place := slices.Index(KeyKinds, kind)
	if place < 0 {
		return Prompt{}, fmt.Errorf("%q is not one of %s", kind, strings.Join(KeyKinds, ", "))
	}
	count := k.count
	if kind == "single" {
		count = 1
	}
	rng := chance(seed, "keys", place, count, length, trial)
	names, told, asked := placeNames(rng, count), keys(rng, count+1), rng.IntN(count)
	needles := make([]string, count)
	for i, name := range names {
		needles[i] = fmt.Sprintf(namedNeedle, name, told[i])
	}
	p := Prompt{Answer: told[asked]}
	if kind == "overwritten" { // anywhere behind the first time
		at := asked + 1 + rng.IntN(count-asked)
		needles = slices.Insert(needles, at, fmt.Sprintf(namedNeedle, names[asked], told[count]))
		p.Answer = told[count]
	} else {
		told = told[:count]
	}
	for _, other := range told {
		if other != p.Answer {
			p.Others = append(p.Others, other)
		}
	}
	var err error
	p.Tokens, err = k.hide(rng, needles, fmt.Sprintf(namedQuestion, names[asked]), length)
	return p, err
}

// hide is a prompt with needles at random places of the filler, in their order.
func (k *Keys) hide(rng *rand.Rand, needles []string, question string, length int) ([]int32, error) {
	var parts [][]int32
	n := length
	for _, text := range append(needles, question) {
		ids, err := k.encode(text)
		if err != nil {
			return nil, err
		}
		parts, n = append(parts, ids), n-len(ids)
	}
	if n < 0 {
		return nil, fmt.Errorf("length %d is below the task's %d tokens", length, length-n)
	}
	cuts := make([]int, len(needles))
	for i := range cuts {
		cuts[i] = rng.IntN(n + 1)
	}
	slices.Sort(cuts)
	tokens, from, done := make([]int32, 0, length), rng.IntN(len(k.filler)), 0
	for i, cut := range append(cuts, n) {
		tokens = k.fill(tokens, from+done, cut-done)
		tokens = append(tokens, parts[i]...)
		done = cut
	}
	return tokens, nil
}

// placeNames draws n names that differ.
func placeNames(rng *rand.Rand, n int) (names []string) {
	for _, i := range rng.Perm(MostDocuments)[:n] {
		names = append(names, placeStarts[i/len(placeEnds)]+placeEnds[i%len(placeEnds)])
	}
	return names
}
