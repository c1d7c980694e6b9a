package retrieval

import (
	"errors"
	"fmt"

	"github.com/mmrun/mmrun/internal/experiment/corpus"
)

// The texts of the passkey task (as in arXiv 2305.16300). Each is encoded by itself and their tokens
// are joined.
const (
	passkeyFiller = " The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again."
	passkeyNeedle = " The pass key is %[1]s. Remember it. %[1]s is the pass key."
	// PasskeyQuestion stands at the end of a prompt.
	PasskeyQuestion = " What is the pass key? The pass key is"
)

// Needle is the text that tells a key.
func Needle(key string) string { return fmt.Sprintf(passkeyNeedle, key) }

// A Passkey is the task of finding five digits in a long filler.
type Passkey struct {
	encode   corpus.Encoder
	filler   []int32 // repeated without end
	question []int32
}

// NewPasskey prepares the task for a tokenizer. A nil filler is the task's own.
func NewPasskey(encode corpus.Encoder, filler []int32) (*Passkey, error) {
	p := &Passkey{encode: encode, filler: filler}
	var err error
	if filler == nil {
		if p.filler, err = encode(passkeyFiller); err != nil {
			return nil, err
		}
	}
	if len(p.filler) == 0 {
		return nil, errors.New("the filler has no tokens")
	}
	p.question, err = encode(PasskeyQuestion)
	return p, err
}

// Prompts returns a trial's prompts of length tokens, one for each of depths depths: the middles of as
// many equal parts. All have the same filler, so that they are the same up to the first key.
func (p *Passkey) Prompts(seed uint64, length, depths, trial int) ([]Prompt, error) {
	from := chance(seed, "passkey filler", length, trial).IntN(len(p.filler))
	prompts := make([]Prompt, depths)
	for i := range prompts {
		k := key(chance(seed, "passkey", length, i, trial))
		tokens, err := p.prompt(k, from, length, Depth(i, depths))
		if err != nil {
			return nil, err
		}
		prompts[i] = Prompt{Tokens: tokens, Answer: k}
	}
	return prompts, nil
}

// Depth is where in the filler key i of n is hidden, from 0, its beginning, to 1, its end.
func Depth(i, n int) float64 { return (float64(i) + 0.5) / float64(n) }

func (p *Passkey) prompt(key string, from, length int, depth float64) ([]int32, error) {
	needle, err := p.encode(Needle(key))
	if err != nil {
		return nil, err
	}
	n := length - len(needle) - len(p.question)
	if n < 0 {
		return nil, fmt.Errorf("length %d is below the task's %d tokens", length, length-n)
	}
	before := int(depth*float64(n) + 0.5)
	tokens := make([]int32, 0, length)
	tokens = p.fill(tokens, from, before)
	tokens = append(tokens, needle...)
	tokens = p.fill(tokens, from+before, n-before)
	return append(tokens, p.question...), nil
}

// fill appends n tokens of the filler from a place on.
func (p *Passkey) fill(tokens []int32, from, n int) []int32 {
	for i := range n {
		tokens = append(tokens, p.filler[(from+i)%len(p.filler)])
	}
	return tokens
}
