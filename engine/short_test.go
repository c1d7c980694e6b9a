package engine_test

import (
	"path/filepath"
	"testing"

	. "github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/graph"
)

// TestShortPasses: a pass of few tokens runs the program made for few, and each is made once.
func TestShortPasses(t *testing.T) {
	m := openModel(t, filepath.Join(goldenDir, "mamba-tiny"), Options{Chunk: 200})
	_, all, err := m.PromptPass(200)
	if err != nil {
		t.Fatal(err)
	}
	programs := map[int]*graph.Program{200: all}
	for _, test := range []struct{ tokens, made int }{{2, 16}, {16, 16}, {17, 128}, {128, 128}, {129, 200}, {1000, 200}} {
		for range 2 {
			made, p, err := m.PromptPass(test.tokens)
			if err != nil {
				t.Fatal(err)
			}
			if known := programs[made]; known != nil && known != p {
				t.Errorf("the program for %d tokens was made twice", made)
			}
			programs[made] = p
			if made != test.made {
				t.Errorf("%d tokens run in the program for %d, want that for %d", test.tokens, made, test.made)
			}
			if p.Dispatches() != all.Dispatches() || p.Arena() > all.Arena() {
				t.Errorf("%d tokens: %d dispatches and %d bytes of arena, a chunk takes %d and %d",
					made, p.Dispatches(), p.Arena(), all.Dispatches(), all.Arena())
			}
		}
	}
	small := openModel(t, filepath.Join(goldenDir, "mamba-tiny"), Options{Chunk: 16})
	if made, _, err := small.PromptPass(3); err != nil || made != 16 {
		t.Errorf("a chunk of 16 has a pass of %d tokens (%v)", made, err)
	}
}
