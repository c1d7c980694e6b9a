package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestSurpriseOfAFairCoin(t *testing.T) {
	var s Surprise
	for range 100_000 {
		s.Add(math.Ln2, 2)
	}
	if p := s.Perplexity(); math.Abs(p.Value-2) > 1e-9 || p.Error > 1e-9 {
		t.Errorf("perplexity %v, want 2 without error", p)
	}
	if b := s.BitsPerByte(); math.Abs(b.Value-0.5) > 1e-9 || b.Error > 1e-9 {
		t.Errorf("bits per byte %v, want 0.5 without error", b)
	}
	if s.Tokens() != 100_000 || s.Bytes() != 200_000 {
		t.Errorf("%d tokens of %d bytes", s.Tokens(), s.Bytes())
	}
	if s.Blocks() > mostBlocks || s.Blocks() < mostBlocks/2 {
		t.Errorf("%d blocks", s.Blocks())
	}
}

// TestSurpriseErrorIsTheSpread: over many series whose neighbouring tokens resemble one another, the standard
// error that is told is the deviation of the figure from series to series.
func TestSurpriseErrorIsTheSpread(t *testing.T) {
	const series, tokens = 200, 20_000
	rng := rand.New(rand.NewPCG(3, 1))
	var sum, square, told float64
	for range series {
		var s Surprise
		mood := 0.0 // with the next token's shares 0.9 of itself
		for range tokens {
			mood = 0.9*mood + rng.NormFloat64()
			s.Add(20+mood, 1+rng.IntN(4))
		}
		b := s.BitsPerByte()
		sum += b.Value
		square += b.Value * b.Value
		told += b.Error / series
	}
	spread := math.Sqrt((square - sum*sum/series) / (series - 1))
	if ratio := told / spread; ratio < 0.85 || ratio > 1.15 {
		t.Errorf("standard error %g, deviation %g", told, spread)
	}
}

func TestSurpriseOfAShortText(t *testing.T) {
	var s Surprise
	if b := s.BitsPerByte(); !math.IsNaN(b.Value) {
		t.Errorf("nothing has %v bits per byte", b)
	}
	for range blockTokens * (leastBlocks - 1) {
		s.Add(1, 1)
	}
	if p := s.Perplexity(); math.Abs(p.Value-math.E) > 1e-12 || !math.IsNaN(p.Error) {
		t.Errorf("%v, want e with an error that is not known", p)
	}
}
