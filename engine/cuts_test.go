package engine_test

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	. "github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/refmodel"
)

// TestCuts: a prompt that is cut as CutTokens allows comes to the same to the bit, single tokens among the pieces.
// Only a memory over Mamba-2 allows no cut.
func TestCuts(t *testing.T) {
	for _, dir := range goldens(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			m := openModel(t, dir, Options{Chunk: 128})
			cut, never := m.CutTokens(), filepath.Base(dir) == "memmamba-over-mamba2"
			if (never || !m.Device().Software()) != (cut == 0) {
				t.Fatalf("cuts at multiples of %d", cut)
			}
			if cut == 0 {
				return
			}
			text := refmodel.RandomTokens(refmodel.Config{Vocab: m.Sizes().Vocab}, 9, min(150, int(m.Sizes().MaxTokens)))
			whole, pieces, rng := newState(t, m), newState(t, m), rand.New(rand.NewPCG(1, 1))
			read(t, m, whole, text)
			for rest := text; len(rest) > 0; {
				n := min(len(rest), cut*(1+rng.IntN(2)*rng.IntN(1+60/cut)))
				read(t, m, pieces, rest[:n])
				rest = rest[n:]
			}
			compareBits(t, viewState(t, pieces), viewState(t, whole))
		})
	}
}
