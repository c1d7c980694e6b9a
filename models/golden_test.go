package models

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/checkpoint/safetensors"
	"github.com/mmrun/mmrun/engine"
	_ "github.com/mmrun/mmrun/memmamba"
)

// TestEngineAgreesWithPyTorch: the engine gives every logit that PyTorch, in float64, computed from
// the trained weights of a folder, within what float32 rounding explains.
func TestEngineAgreesWithPyTorch(t *testing.T) {
	const tolerance = 2e-4 // |got-want| ≤ tolerance (1 + |want|), as everywhere
	files, err := filepath.Glob("*/golden.safetensors")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden.safetensors in %d folders: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Dir(file), func(t *testing.T) {
			tokens, want := golden(t, file)
			src, err := checkpoint.Open(filepath.Dir(file))
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			model, err := engine.Open(src, engine.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer model.Close()
			state, err := model.NewState()
			if err != nil {
				t.Fatal(err)
			}
			defer state.Close()
			vocab, seen := model.Sizes().Vocab, 0
			err = model.ForwardAll(context.Background(), state, tokens, func(first int, logits []float32) error {
				for i, got := range logits {
					w := float64(want[first*vocab+i])
					if d := math.Abs(float64(got) - w); !(d <= tolerance+tolerance*math.Abs(w)) {
						t.Fatalf("token %d: logit %d is %g, want %g", first+i/vocab, i%vocab, got, w)
					}
				}
				seen += len(logits)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if seen != len(want) {
				t.Errorf("%d logits, want %d", seen, len(want))
			}
		})
	}
}

// golden returns the tokens and the logits [tokens, vocab] of file.
func golden(t *testing.T, file string) ([]int32, []float32) {
	t.Helper()
	f, err := safetensors.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tokens, okT := f.Tensor("tokens")
	logits, okL := f.Tensor("logits")
	if !okT || !okL {
		t.Fatalf("%s: tokens there: %t, logits there: %t", file, okT, okL)
	}
	ids, err := tokens.Int32s()
	if err != nil {
		t.Fatal(err)
	}
	numbers, err := logits.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return ids, numbers
}
