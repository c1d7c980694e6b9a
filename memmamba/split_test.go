package memmamba

import (
	"context"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestSplit: logits, pools and state do not depend on how a prompt is split into calls, nor on a
// save and a restore between them.
func TestSplit(t *testing.T) {
	if err := flag.Set("rapid.checks", "8"); err != nil { // each runs the device over a whole text
		t.Fatal(err)
	}
	dirs, err := os.ReadDir(goldenDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		t.Run(d.Name(), func(t *testing.T) {
			dir := filepath.Join(goldenDir, d.Name())
			m, g := openModel(t, dir, Options{}), readGolden(t, dir)
			whole, parts := newState(t, m), newState(t, m)
			if _, err := m.Forward(context.Background(), whole, g.tokens); err != nil {
				t.Fatal(err)
			}
			rapid.Check(t, func(r *rapid.T) { testSplit(r, m, whole, parts, g.tokens) })
		})
	}
}

func testSplit(r *rapid.T, m *Model, whole, parts *State, tokens []int32) {
	if err := parts.Reset(); err != nil {
		r.Fatal(err)
	}
	for rest := tokens; len(rest) > 0; {
		n := rapid.IntRange(1, len(rest)).Draw(r, "tokens")
		if _, err := m.Forward(context.Background(), parts, rest[:n]); err != nil {
			r.Fatal(err)
		}
		rest = rest[n:]
		if rapid.Bool().Draw(r, "save") {
			data, err := parts.MarshalBinary()
			if err == nil {
				err = parts.UnmarshalBinary(data)
			}
			if err != nil {
				r.Fatal(err)
			}
		}
	}
	compareStates(r, parts, whole)
}

// compareStates compares all that a sequence carries: what is counted exactly, numbers within tolerance
// since kernels for one token and for many round differently.
func compareStates(r rapid.TB, got, want *State) {
	r.Helper()
	a, errA := got.Logits()
	b, errB := want.Logits()
	if bad := far(a, b); bad != "" || errA != nil || errB != nil {
		r.Fatalf("logits: %s (%v, %v)", bad, errA, errB)
	}
	if got.Position() != want.Position() {
		r.Fatalf("position %d, want %d", got.Position(), want.Position())
	}
	mine, err := got.Memory()
	if err != nil {
		r.Fatal(err)
	}
	other, err := want.Memory()
	if err != nil {
		r.Fatal(err)
	}
	for l := range other {
		same := func(x, y Note) bool {
			return x.Position == y.Position && math.Abs(float64(x.Importance-y.Importance)) < tolerance && far(x.Summary, y.Summary) == ""
		}
		if mine[l].Reads != other[l].Reads || !slices.EqualFunc(mine[l].Notes, other[l].Notes, same) {
			r.Fatalf("layer %d: memory %v, want %v", l, mine[l], other[l])
		}
	}
}

// TestStateRefused: a state that was cut short, altered, or is another model's changes nothing.
func TestStateRefused(t *testing.T) {
	m := openModel(t, filepath.Join(goldenDir, "memmamba-token"), Options{})
	other := openModel(t, filepath.Join(goldenDir, "mamba-tiny"), Options{})
	s, foreign := newState(t, m), newState(t, other)
	if _, err := m.Forward(context.Background(), s, []int32{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	data, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	altered := slices.Clone(data)
	altered[len(altered)/2] ^= 1
	for name, bad := range map[string][]byte{"empty": nil, "short": data[:len(data)-1], "altered": altered} {
		if s.UnmarshalBinary(bad) == nil {
			t.Errorf("a state that is %s was taken", name)
		}
	}
	if foreign.UnmarshalBinary(data) == nil {
		t.Error("a state of another model was taken")
	}
	if s.Position() != 3 || foreign.Position() != 0 {
		t.Errorf("positions %d and %d after refused states, want 3 and 0", s.Position(), foreign.Position())
	}
}
