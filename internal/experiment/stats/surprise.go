// Package stats has the statistics of experiments: means of long series with their uncertainty, shares
// of successes with theirs, and how alike two sets of vectors are.
package stats

import "math"

// The blocks of a Surprise: a block ends after blockTokens tokens or, once there are mostBlocks
// of them, after twice as many, for as long as the series goes on.
const (
	blockTokens = 256
	mostBlocks  = 128
	leastBlocks = 8 // below which blocks say nothing about uncertainty
)

// A Surprise collects how surprised a model was by the tokens of a text, in constant memory, to give
// its perplexity and its bits per byte. Neighbouring tokens are not independent, so uncertainty is
// that of a ratio of sums over blocks of consecutive tokens (batch means).
type Surprise struct {
	blocks []block // all but the last of the same number of tokens
	size   int64   // tokens of a block
}

type block struct {
	nats          float64
	tokens, bytes int64
}

// An Estimate is a figure with its standard error, NaN where that is not known.
type Estimate struct{ Value, Error float64 }

// Add takes in a token: -ln of the probability it was given, and the bytes of text it stands for.
func (s *Surprise) Add(nats float64, bytes int) {
	if s.size == 0 {
		s.size = blockTokens
	}
	if n := len(s.blocks); n == 0 || s.blocks[n-1].tokens == s.size {
		if n == mostBlocks {
			s.join()
		}
		s.blocks = append(s.blocks, block{})
	}
	last := &s.blocks[len(s.blocks)-1]
	last.nats += nats
	last.tokens++
	last.bytes += int64(bytes)
}

// join makes one block of every two.
func (s *Surprise) join() {
	for i := range mostBlocks / 2 {
		a, b := s.blocks[2*i], s.blocks[2*i+1]
		s.blocks[i] = block{a.nats + b.nats, a.tokens + b.tokens, a.bytes + b.bytes}
	}
	s.blocks = s.blocks[:mostBlocks/2]
	s.size *= 2
}

// Tokens is how many tokens were taken in.
func (s *Surprise) Tokens() int64 { return s.sum().tokens }

// Bytes is how many bytes the tokens stand for.
func (s *Surprise) Bytes() int64 { return s.sum().bytes }

// Blocks is how many blocks the uncertainty comes from, the last of which may be shorter.
func (s *Surprise) Blocks() int { return len(s.blocks) }

// BlockTokens is how many tokens a block has.
func (s *Surprise) BlockTokens() int64 { return s.size }

func (s *Surprise) sum() (all block) {
	for _, b := range s.blocks {
		all.nats += b.nats
		all.tokens += b.tokens
		all.bytes += b.bytes
	}
	return all
}

// Perplexity is e to the mean surprise of a token.
func (s *Surprise) Perplexity() Estimate {
	mean := s.ratio(func(b block) float64 { return float64(b.tokens) })
	p := math.Exp(mean.Value)
	return Estimate{p, p * mean.Error}
}

// BitsPerByte is the mean surprise of a byte of the text, in bits.
func (s *Surprise) BitsPerByte() Estimate {
	mean := s.ratio(func(b block) float64 { return float64(b.bytes) })
	return Estimate{mean.Value / math.Ln2, mean.Error / math.Ln2}
}

// ratio is Σ nats / Σ per, with the standard error of a ratio of two means (the delta method):
// √(n/(n-1) Σ (nats - ratio·per)²) / Σ per over the n blocks.
func (s *Surprise) ratio(per func(block) float64) Estimate {
	var nats, amount, square float64
	for _, b := range s.blocks {
		nats += b.nats
		amount += per(b)
	}
	e := Estimate{nats / amount, math.NaN()}
	n := float64(len(s.blocks))
	if n < leastBlocks {
		return e
	}
	for _, b := range s.blocks {
		d := b.nats - e.Value*per(b)
		square += d * d
	}
	e.Error = math.Sqrt(n/(n-1)*square) / amount
	return e
}
