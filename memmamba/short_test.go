package memmamba

import (
	"path/filepath"
	"testing"
)

// TestShortPasses: a pass of few tokens runs the program made for few, and each is made once.
func TestShortPasses(t *testing.T) {
	m := openModel(t, filepath.Join(goldenDir, "mamba-tiny"), Options{Chunk: 200})
	dispatches := m.programs.chunk.Dispatches()
	for _, test := range []struct{ tokens, made int }{{2, 16}, {16, 16}, {17, 128}, {128, 128}, {129, 200}, {1000, 200}} {
		for range 2 {
			p, err := m.pass(test.tokens)
			if err != nil {
				t.Fatal(err)
			}
			made := 200
			for _, s := range m.programs.short {
				if s.program == p {
					made = s.tokens
				}
			}
			if made != test.made || made == 200 && p != m.programs.chunk {
				t.Errorf("%d tokens run in the program for %d, want that for %d", test.tokens, made, test.made)
			}
			if p.Dispatches() != dispatches || p.Arena() > m.programs.chunk.Arena() {
				t.Errorf("%d tokens: %d dispatches and %d bytes of arena, a chunk takes %d and %d",
					made, p.Dispatches(), p.Arena(), dispatches, m.programs.chunk.Arena())
			}
		}
	}
	small := openModel(t, filepath.Join(goldenDir, "mamba-tiny"), Options{Chunk: 16})
	if p, err := small.pass(3); err != nil || p != small.programs.chunk {
		t.Errorf("a chunk of 16 has a shorter pass (%v)", err)
	}
}
