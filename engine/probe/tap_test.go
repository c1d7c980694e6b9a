package probe_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/checkpoint/safetensors"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/engine/probe"
	"github.com/mmrun/mmrun/memmamba"
	"github.com/mmrun/mmrun/ops"
)

const goldenDir = "../../testdata/golden"

// open opens a golden model and an empty sequence of it.
func open(t *testing.T, dir string, chunk int) (*engine.Model, *engine.State) {
	t.Helper()
	src, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	m, err := engine.Open(src, engine.Options{Chunk: chunk})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := m.NewState()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return m, s
}

// text returns the tokens of a golden file and the logits after the last.
func text(t *testing.T, dir string, vocab int) (tokens []int32, last []float32) {
	t.Helper()
	f, err := safetensors.Open(filepath.Join(dir, "golden.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ids, _ := f.Tensor("tokens")
	if tokens, err = ids.Int32s(); err != nil {
		t.Fatal(err)
	}
	logits, _ := f.Tensor("logits")
	all, err := logits.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return tokens, all[len(all)-vocab:]
}

// far returns a description of the first pair out of tolerance, "" when there is none.
func far(got, want []float32) string {
	const tolerance = 2e-4 // |got-want| ≤ tolerance (1 + |want|), as everywhere
	if len(got) != len(want) {
		return fmt.Sprintf("%d numbers, want %d", len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(float64(got[i] - want[i])); !(d <= tolerance+tolerance*math.Abs(float64(want[i]))) {
			return fmt.Sprintf("number %d is %g, want %g", i, got[i], want[i])
		}
	}
	return ""
}

// tapAll collects the taps of a whole sequence.
func tapAll(t *testing.T, m *engine.Model, s *engine.State, tokens []int32) []probe.Layer {
	t.Helper()
	tapper, err := probe.NewTapper(m)
	if err != nil {
		t.Fatal(err)
	}
	defer tapper.Close()
	all := make([]probe.Layer, m.Sizes().Layers)
	next := 0
	err = tapper.Forward(context.Background(), s, tokens, func(first int, layers []probe.Layer) error {
		if first != next || len(layers) != len(all) {
			t.Errorf("token %d after %d, of %d layers", first, next, len(layers))
		}
		next += len(layers[0]["x"]) / m.Sizes().Hidden
		for l, tap := range layers {
			if all[l] == nil {
				all[l] = probe.Layer{}
			}
			for name, numbers := range tap {
				all[l][name] = append(all[l][name], numbers...)
			}
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
	for _, name := range []string{"mamba-odd-bf16", "memmamba-fifo", "memmamba-token", "mamba2-tiny", "mamba2-groups-bf16", "memmamba-over-mamba2"} {
		for _, chunk := range []int{1, 512} {
			t.Run(fmt.Sprintf("%s/chunk=%d", name, chunk), func(t *testing.T) {
				dir := filepath.Join(goldenDir, name)
				m, s := open(t, dir, chunk)
				tokens, want := text(t, dir, m.Sizes().Vocab)
				layers := tapAll(t, m, s, tokens)
				logits, err := s.Logits()
				if err != nil {
					t.Fatal(err)
				}
				if bad := far(logits, want); bad != "" {
					t.Error(bad)
				}
				_, N := m.Config().(*memmamba.Config).Mixer.Inner()
				for l, f := range fading(t, m, dir) {
					if bad := far(stateOf(t, s, l), stateFrom(layers[l], f, N)); bad != "" {
						t.Errorf("layer %d: %s", l, bad)
					}
				}
			})
		}
	}
}

// stateOf reads h of a layer, (E, N).
func stateOf(t *testing.T, s *engine.State, l int) (h []float32) {
	t.Helper()
	data, err := s.Download(l, "h")
	if err != nil {
		t.Fatal(err)
	}
	E, N := s.Model().Config().(*memmamba.Config).Mixer.Inner()
	for e := range E {
		for n := range N {
			h = append(h, math.Float32frombits(binary.LittleEndian.Uint32(data[4*(e*ops.Padded(N)+n):])))
		}
	}
	return h
}

// stateFrom adds up what is left of every token's write after the last. Channels are of heads with a time step each, these of groups
// with B each; A_log has a number for every head, or for N of them.
func stateFrom(tap probe.Layer, f memmamba.Fading, states int) []float32 {
	h, channels, heads := make([]float32, f.E*states), f.E/f.Heads, f.Heads/f.Groups
	T := len(tap["u"]) / f.E
	for e := range f.E {
		head := e / channels
		for n := range states {
			A := float64(f.A[head*len(f.A)/f.Heads+n*(len(f.A)/f.Heads/f.N)])
			var sum, later float64 // Δ of the tokens after
			for i := T - 1; i >= 0; i-- {
				delta, B := float64(tap["delta"][i*f.Heads+head]), tap["B"][(i*f.Groups+head/heads)*f.N+n]
				sum += math.Exp(A*later) * delta * float64(tap["u"][i*f.E+e]) * float64(B)
				later += delta
			}
			h[e*states+n] = float32(sum)
		}
	}
	return h
}

// fading is how the layers of a golden model fade.
func fading(t *testing.T, m *engine.Model, dir string) []memmamba.Fading {
	t.Helper()
	layers, err := memmamba.FadingLayers(m.Config(), func(name string) ([]float32, error) { return weight(t, dir, name), nil })
	if err != nil {
		t.Fatal(err)
	}
	return layers
}

// TestTapsMakeTheNotes: a note is note_proj of the tapped input of its token.
func TestTapsMakeTheNotes(t *testing.T) {
	dir := filepath.Join(goldenDir, "memmamba-priority")
	m, s := open(t, dir, 0)
	tokens, _ := text(t, dir, m.Sizes().Vocab)
	layers := tapAll(t, m, s, tokens)
	memory, err := memmamba.Memory(s)
	if err != nil {
		t.Fatal(err)
	}
	d, count := m.Sizes().Hidden, 0
	for l, tap := range layers {
		proj := weight(t, dir, fmt.Sprintf("backbone.layers.%d.memory.note_proj.weight", l))
		for _, note := range memory[l].Notes {
			x := tap["x"][int(note.Position)*d : int(note.Position+1)*d]
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

// TestNothingToTap: a network that shows nothing of itself says so, and its model goes on.
func TestNothingToTap(t *testing.T) {
	m, s := open(t, filepath.Join(goldenDir, "neox-parallel"), 0)
	if _, err := probe.NewTapper(m); !errors.Is(err, probe.ErrNothing) {
		t.Errorf("got %v, want %v", err, probe.ErrNothing)
	}
	if _, err := m.Forward(context.Background(), s, []int32{1}); err != nil {
		t.Error(err)
	}
}
