package engine_test

import (
	"path/filepath"
	"slices"
	"testing"

	. "github.com/mmrun/mmrun/engine"
)

// separate has a model go on as on a device with memory of its own.
func separate(t *testing.T, m *Model) {
	t.Helper()
	if err := m.Separate(); err != nil {
		t.Fatal(err)
	}
	if !m.Fetches() {
		t.Fatal("the host still sees the device's buffers")
	}
}

// TestSeparateMemory: a device with memory of its own gives what any other gives.
func TestSeparateMemory(t *testing.T) {
	for _, name := range []string{"mamba-tiny", "memmamba-token"} {
		dir := filepath.Join(goldenDir, name)
		m, g := openModel(t, dir, Options{Chunk: 16}), readGolden(t, dir)
		separate(t, m)
		testLogits(t, m, g)
		testGreedy(t, m, g)
		s := newState(t, m)
		logits, err := m.Forward(t.Context(), s, g.tokens)
		if err != nil {
			t.Fatal(err)
		}
		vocab := m.Sizes().Vocab
		if bad := far(logits, g.logits[len(g.logits)-vocab:]); bad != "" {
			t.Errorf("%s: %s", name, bad)
		}
	}
}

// TestSeparateChoice: so it is with choices, and the logits that are fetched when they do not decide.
func TestSeparateChoice(t *testing.T) {
	m, prompt := wordy(t), []int32{1, 2, 3}
	var want [][]int32
	for _, o := range ways {
		want = append(want, byHand(t, m, newState(t, m), prompt, o, 6))
	}
	separate(t, m)
	for i, o := range ways {
		got := during(t, m, newState(t, m), prompt, GenerateOptions{MaxTokens: 6, Sample: o, Stop: []int32{}}, goOn)
		if !slices.Equal(got, want[i]) {
			t.Errorf("%+v: got %v, want %v", o, got, want[i])
		}
	}
}
