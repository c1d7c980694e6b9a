package engine_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/checkpoint/safetensors"
	. "github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/refmodel"
	"github.com/mmrun/mmrun/memmamba"
)

// small is the config of a small MemMamba model.
func small(edit func(c *refmodel.Config)) refmodel.Config {
	c := refmodel.Default(refmodel.MemMamba)
	c.Vocab, c.Hidden, c.Layers = 64, 24, 4
	c.Summary, c.Pool, c.Window, c.Period = 16, 10, 8, 2
	edit(&c)
	return c
}

// writeModel writes a random model.
func writeModel(t *testing.T, c refmodel.Config) string {
	t.Helper()
	dir := t.TempDir()
	if err := refmodel.WriteRandom(dir, c, refmodel.Random{Seed: 1}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestPassesOfWindows: a prompt is cut at windows where reads depend on the state alone.
func TestPassesOfWindows(t *testing.T) {
	const tokens, chunk = 100, 64
	for _, test := range []struct {
		threshold float64
		window    int
		passes    []int
	}{
		{0, 1, []int{64, 36}},
		{-1, 8, []int{64, 36}},
		{1, 1, []int{64, 36}},
		{1.5, 48, []int{64, 36}},
		{0.5, 48, []int{48, 48, 4}},
		{0.999, 40, []int{40, 40, 20}},
	} {
		c := small(func(c *refmodel.Config) { c.Window, c.StateThreshold = test.window, test.threshold })
		m := openModel(t, writeModel(t, c), Options{Chunk: chunk})
		s, before := newState(t, m), 0
		var passes []int
		o := GenerateOptions{Progress: func(done, _ int) { passes, before = append(passes, done-before), done }}
		during(t, m, s, refmodel.RandomTokens(c, 1, tokens), o, goOn)
		if !slices.Equal(passes, test.passes) {
			t.Errorf("τ2 = %g, W = %d: passes of %v tokens, want %v", test.threshold, test.window, passes, test.passes)
		}
	}
}

// TestFixedReads: with τ2 at most 0 every layer reads from the second window on, with τ2 at least 1
// none does, in whatever passes the text goes through.
func TestFixedReads(t *testing.T) {
	for threshold, reads := range map[float64]bool{0: true, 1: false} {
		for _, chunk := range []int{1, 5, 100} {
			c := small(func(c *refmodel.Config) { c.StateThreshold = threshold })
			m := openModel(t, writeModel(t, c), Options{Chunk: chunk})
			s := newState(t, m)
			var windows []int64
			memmamba.OnWindow(s, func(window int64, layers, _ []bool) error {
				windows = append(windows, window)
				if want := slices.Repeat([]bool{reads && window > 0}, c.Layers); !slices.Equal(layers, want) {
					t.Errorf("τ2 = %g, window %d: reads %v, want %v", threshold, window, layers, want)
				}
				return nil
			})
			feed(t, s, refmodel.RandomTokens(c, 1, 33))
			if want := []int64{0, 1, 2, 3, 4}; !slices.Equal(windows, want) {
				t.Errorf("τ2 = %g, chunks of %d: windows %v, want %v", threshold, chunk, windows, want)
			}
			memory, err := memmamba.Memory(s)
			if err != nil {
				t.Fatal(err)
			}
			for l, layer := range memory {
				if layer.Reads != reads {
					t.Errorf("τ2 = %g: layer %d reads: %v", threshold, l, layer.Reads)
				}
			}
		}
	}
}

// TestZeroMemoryIsMamba: with every o_proj zero the logits are those of the Mamba with the same weights,
// however much is noted and read.
func TestZeroMemoryIsMamba(t *testing.T) {
	for _, threshold := range []float64{0, 0.5} {
		for _, fusion := range []string{"residual", "gated"} {
			c := small(func(c *refmodel.Config) { c.StateThreshold, c.Fusion = threshold, fusion })
			with, tokens, o := writeModel(t, c), refmodel.RandomTokens(c, 3, 90), Options{Chunk: 40}
			c.ModelType, c.Memory = refmodel.Mamba, nil
			want := everyLogit(t, openModel(t, writeModel(t, c), o), tokens) // the same seed gives the same weights by name
			if got := everyLogit(t, openModel(t, with, o), tokens); far(got, want) == "" {
				t.Error("the memory makes no difference")
			}
			zeroOutputs(t, with)
			got := everyLogit(t, openModel(t, with, o), tokens)
			for i, v := range got {
				if d := math.Abs(float64(v - want[i])); !(d <= 1e-6*(1+math.Abs(float64(want[i])))) {
					t.Fatalf("τ2 = %g, %s: logit %d is %g, that of Mamba %g", threshold, fusion, i, v, want[i])
				}
			}
		}
	}
}

// zeroOutputs sets every o_proj of a model to zero.
func zeroOutputs(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, "model.safetensors")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Parse(path, data)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range f.Names() {
		if x, _ := f.Tensor(name); strings.HasSuffix(name, "o_proj.weight") {
			clear(x.Data) // of data itself
		}
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestSaveAroundWindows saves on either side of a window's first token and at it, and goes on from the
// saved state with a model that is opened anew: every logit from there on is the golden's.
func TestSaveAroundWindows(t *testing.T) {
	for _, name := range []string{"memmamba-fifo", "memmamba-priority", "memmamba-token"} {
		dir := filepath.Join(goldenDir, name)
		m, g := openModel(t, dir, Options{}), readGolden(t, dir)
		W, vocab := memoryConfig(m).Window, m.Sizes().Vocab
		saved := map[int][]byte{}
		for _, at := range []int{max(1, W-1), W, W + 1, 2*W + 1, 3*W - 1, 3 * W} {
			s := newState(t, m)
			feed(t, s, g.tokens[:at])
			saved[at] = save(t, s)
		}
		again := openModel(t, dir, Options{Chunk: 23})
		for at, data := range saved {
			s := newState(t, again)
			load(t, s, data)
			last, err := s.Logits()
			if bad := far(last, g.logits[(at-1)*vocab:at*vocab]); err != nil || bad != "" {
				t.Errorf("%s: saved at %d: its last logits: %s (%v)", name, at, bad, err)
			}
			err = again.ForwardAll(context.Background(), s, g.tokens[at:], func(first int, logits []float32) error {
				from := (at + first) * vocab
				if bad := far(logits, g.logits[from:from+len(logits)]); bad != "" {
					return fmt.Errorf("%s: saved at %d: logits from token %d on: %s", name, at, at+first, bad)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
	}
}

// TestLengthTakesNothing: a sequence ten times as long takes no byte and no object of the device more,
// nor objects of Go's heap, whichever way its windows are passed.
func TestLengthTakesNothing(t *testing.T) {
	for _, threshold := range []float64{0, 0.5} {
		t.Run(fmt.Sprintf("τ2=%g", threshold), func(t *testing.T) {
			c := small(func(c *refmodel.Config) { c.StateThreshold, c.Window = threshold, 16 })
			m := openModel(t, writeModel(t, c), Options{Chunk: 64})
			s, text := newState(t, m), refmodel.RandomTokens(c, 2, 640)
			var first, last held
			for range 10 {
				feed(t, s, text)
				if last = holding(m, s); first.handles == nil {
					first = last
				}
			}
			if s.Position() != 6400 || last.device != first.device || last.host != first.host || last.state != first.state || !maps.Equal(last.handles, first.handles) {
				t.Errorf("after %d tokens %+v, after 640 %+v", s.Position(), last, first)
			}
			if last.objects > first.objects+100 { // the runtime's own come and go
				t.Errorf("%d objects on Go's heap after %d tokens, %d after 640", last.objects, s.Position(), first.objects)
			}
		})
	}
}

// held is what a model and a state hold.
type held struct {
	device, host, state int64
	handles             map[string]int
	objects             uint64
}

func holding(m *Model, s *State) held {
	runtime.GC()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	stats := m.VK().Stats()
	return held{stats.DeviceUsed, stats.HostUsed, s.Bytes(), stats.Handles, mem.HeapObjects}
}
