// Package retrieval makes the prompts of experiments that ask a model for something it has read: a
// passkey hidden in filler, or the code that one of many documents tells. A prompt is a function of
// the seed and of its place in the experiment alone, whatever else is run.
package retrieval

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
	"unicode"
)

// A Prompt is what a model reads, and what it should write then.
type Prompt struct {
	Tokens []int32
	Answer string   // digits
	Others []string // answers to questions that were not asked
}

// AnswerTokens bounds an answer: a model of bytes needs six for five digits and a space.
const AnswerTokens = 16

const leastKey, mostKey = 10000, 99999

// Enough says whether a text holds an answer, be it right or wrong.
func Enough(text string) bool { return len(trim(text)) >= len(strconv.Itoa(mostKey)) }

// Right says whether a text begins with an answer, white space aside.
func Right(text, answer string) bool { return strings.HasPrefix(trim(text), answer) }

func trim(text string) string { return strings.TrimLeftFunc(text, unicode.IsSpace) }

// chance is the source of the random numbers of one place in an experiment.
func chance(seed uint64, kind string, place ...int) *rand.Rand {
	hash := fnv.New64a()
	hash.Write([]byte(kind))
	for _, n := range place {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], uint64(n))
		hash.Write(word[:])
	}
	return rand.New(rand.NewPCG(seed, hash.Sum64()))
}

// key draws five digits of which the first is not 0.
func key(rng *rand.Rand) string { return strconv.Itoa(leastKey + rng.IntN(mostKey-leastKey+1)) }

// Shared is how many tokens all prompts begin with alike; of a single one it is all.
func Shared(prompts []Prompt) int {
	n := len(prompts[0].Tokens)
	for _, p := range prompts[1:] {
		n = min(n, len(p.Tokens))
		for i := range n {
			if p.Tokens[i] != prompts[0].Tokens[i] {
				n = i
				break
			}
		}
	}
	return n
}
