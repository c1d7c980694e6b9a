package engine_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	. "github.com/mmrun/mmrun/engine"
)

// TestStateRefused: a state that was cut short, altered, or is another model's changes nothing.
func TestStateRefused(t *testing.T) {
	m := openModel(t, filepath.Join(goldenDir, "memmamba-token"), Options{})
	other := openModel(t, filepath.Join(goldenDir, "mamba-tiny"), Options{})
	s, foreign := newState(t, m), newState(t, other)
	feed(t, s, []int32{1, 2, 3})
	data, before := save(t, s), viewState(t, s)
	altered := slices.Clone(data)
	altered[len(altered)/2] ^= 1
	for name, bad := range map[string][]byte{"empty": nil, "short": data[:len(data)-1], "altered": altered} {
		if err := s.UnmarshalBinary(bad); !errors.Is(err, ErrRefused) {
			t.Errorf("a state that is %s: %v", name, err)
		}
	}
	if err := foreign.UnmarshalBinary(data); !errors.Is(err, ErrOtherModel) {
		t.Errorf("a state of another model: %v", err)
	}
	compareBits(t, viewState(t, s), before)
	if foreign.Position() != 0 {
		t.Errorf("position %d after a refused state", foreign.Position())
	}
}
