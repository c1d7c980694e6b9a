package probe_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/mmrun/mmrun/checkpoint/safetensors"
)

// tapAll collects the taps of a whole sequence.
func tapAll(t *testing.T, m *Model, s *State, tokens []int32) []LayerTap {
	t.Helper()
	all := make([]LayerTap, m.Config().NumHiddenLayers)
	next := 0
	err := m.ForwardTapped(context.Background(), s, tokens, func(first int, layers []LayerTap) error {
		if first != next {
			t.Errorf("token %d after %d", first, next)
		}
		next += len(layers[0].X) / m.Config().HiddenSize
		for l, tap := range layers {
			all[l].X, all[l].U = append(all[l].X, tap.X...), append(all[l].U, tap.U...)
			all[l].Delta, all[l].B = append(all[l].Delta, tap.Delta...), append(all[l].B, tap.B...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if next != len(tokens) {
		t.Fatalf("%d tokens tapped of %d", next, len(tokens))
	}
	return all
}

func weight(t *testing.T, dir, name string) []float32 {
	t.Helper()
	files, err := safetensors.OpenModel(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	tensor, ok := files.Tensor(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	numbers, err := tensor.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return numbers
}

// TestTapsMakeTheState: what is left of all tokens' writes, exp(A ΣΔ) ⊙ Δ u B, adds up to the state.
func TestTapsMakeTheState(t *testing.T) {
	for _, name := range []string{"mamba-odd-bf16", "memmamba-fifo", "memmamba-token"} {
		for _, chunk := range []int{1, 512} {
			t.Run(fmt.Sprintf("%s/chunk=%d", name, chunk), func(t *testing.T) {
				dir := filepath.Join(goldenDir, name)
				g, m := readGolden(t, dir), openModel(t, dir, Options{Chunk: chunk})
				s := newState(t, m)
				layers := tapAll(t, m, s, g.tokens)
				logits, err := s.Logits()
				if err != nil {
					t.Fatal(err)
				}
				if bad := far(logits, g.logits[len(g.logits)-len(logits):]); bad != "" {
					t.Error(bad)
				}
				for l, tap := range layers {
					logA := weight(t, dir, fmt.Sprintf("backbone.layers.%d.mixer.A_log", l))
					if bad := far(stateOf(t, s, l), stateFrom(tap, logA, len(g.tokens))); bad != "" {
						t.Errorf("layer %d: %s", l, bad)
					}
				}
			})
		}
	}
}

// stateOf reads h of a layer, (E, N).
func stateOf(t *testing.T, s *State, l int) []float32 {
	t.Helper()
	layout, c := s.model.programs.layout, s.model.config
	data, err := s.download(int64(l)*layout.layerBytes+layout.convBytes, 4*int64(layout.E)*int64(layout.N))
	if err != nil {
		t.Fatal(err)
	}
	var h []float32
	for e := range c.IntermediateSize {
		for n := range c.StateSize {
			h = append(h, math.Float32frombits(binary.LittleEndian.Uint32(data[4*(e*layout.N+n):])))
		}
	}
	return h
}

// stateFrom adds up what is left of every token's write after the last.
func stateFrom(tap LayerTap, logA []float32, T int) []float32 {
	E, N := len(tap.U)/T, len(tap.B)/T
	h := make([]float32, E*N)
	for e := range E {
		for n := range N {
			A := -math.Exp(float64(logA[e*N+n]))
			var sum, later float64 // Δ of the tokens after
			for i := T - 1; i >= 0; i-- {
				delta := float64(tap.Delta[i*E+e])
				sum += math.Exp(A*later) * delta * float64(tap.U[i*E+e]) * float64(tap.B[i*N+n])
				later += delta
			}
			h[e*N+n] = float32(sum)
		}
	}
	return h
}

// TestTapsMakeTheNotes: a note is note_proj of the tapped input of its token.
func TestTapsMakeTheNotes(t *testing.T) {
	dir := filepath.Join(goldenDir, "memmamba-priority")
	g, m := readGolden(t, dir), openModel(t, dir, Options{})
	s := newState(t, m)
	layers := tapAll(t, m, s, g.tokens)
	memory, err := s.Memory()
	if err != nil {
		t.Fatal(err)
	}
	d, count := m.Config().HiddenSize, 0
	for l, tap := range layers {
		proj := weight(t, dir, fmt.Sprintf("backbone.layers.%d.memory.note_proj.weight", l))
		for _, note := range memory[l].Notes {
			x := tap.X[int(note.Position)*d : int(note.Position+1)*d]
			want := make([]float32, len(note.Summary))
			for i := range want {
				var sum float64
				for j, v := range x {
					sum += float64(v) * float64(proj[i*d+j])
				}
				want[i] = float32(sum)
			}
			if bad := far(note.Summary, want); bad != "" {
				t.Errorf("layer %d, position %d: %s", l, note.Position, bad)
			}
			count++
		}
	}
	if count == 0 {
		t.Error("there are no notes")
	}
}
