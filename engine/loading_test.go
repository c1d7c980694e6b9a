package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/checkpoint/safetensors"
	. "github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/engine/probe"
	"github.com/mmrun/mmrun/internal/refmodel"
)

// cost is what it took to open a model, in bytes.
type cost struct {
	file int64 // the weights' file
	live int64 // the most that was alive on the Go heap, beyond what was before
	made int64 // all that was ever put there, garbage included
	host int64 // the most memory of the host's that came from Vulkan, staging among it
}

// openCounting writes a random model of the given number of layers and opens it, looking at the heap after every
// piece that is uploaded.
func openCounting(t *testing.T, layers int, d safetensors.DType, quantize string) cost {
	t.Helper()
	c, dir := refmodel.Default(refmodel.MemMamba), t.TempDir()
	c.Vocab, c.Hidden, c.Layers = 4096, 512, layers
	if err := refmodel.WriteRandom(dir, c, refmodel.Random{DType: d}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var most int64
	m := openModel(t, dir, Options{Quantize: quantize, Progress: func(int64, int64) {
		runtime.GC()
		runtime.ReadMemStats(&now)
		most = max(most, int64(now.HeapAlloc)-int64(before.HeapAlloc))
	}})
	runtime.ReadMemStats(&now)
	return cost{info.Size(), most, int64(now.TotalAlloc - before.TotalAlloc), m.VK().Stats().HostPeak}
}

// TestLoadingMemory: weights go from the mapped file to the device by way of the staging ring, so
// that what the host takes besides is the same for a model of twice the size. Even with all that
// the heap ever held it stays below 200 MB.
func TestLoadingMemory(t *testing.T) {
	for _, how := range []struct {
		d        safetensors.DType
		quantize string
	}{{safetensors.F32, ""}, {safetensors.BF16, ""}, {safetensors.F16, "q8_0"}} {
		d := how.d
		small, large := openCounting(t, 4, d, how.quantize), openCounting(t, 10, d, how.quantize)
		t.Logf("%v %s: %+v, %+v", d, how.quantize, small, large)
		if large.made == 0 || large.live == 0 || large.host == 0 || large.file < 2*small.file {
			t.Errorf("%v: nothing was measured", d)
		}
		if n := large.made + large.host; n >= 200e6 {
			t.Errorf("%v: loading %d bytes took %d of host memory", d, large.file, n)
		}
		// The programs are built meanwhile: a few kilobytes a kernel.
		if large.live > small.live+2<<20 || large.live > 8<<20 || large.host != small.host {
			t.Errorf("%v: the memory for loading grew with the model, from %+v to %+v", d, small, large)
		}
	}
}

// TestCloseReturnsEverything opens every golden model, uses all that makes something on the device,
// and counts what is left after Close.
func TestCloseReturnsEverything(t *testing.T) {
	for _, dir := range goldens(t) {
		m, err := openDir(dir, Options{Chunk: 16})
		if err != nil {
			t.Fatal(err)
		}
		useEverything(t, m)
		if err := m.Close(); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
		nothingLeft(t, m)
	}
}

func useEverything(t *testing.T, m *Model) {
	t.Helper()
	s, err := m.NewState()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, tokens := context.Background(), make([]int32, 70) // past a window's end
	_, err = m.Forward(ctx, s, tokens)
	if err == nil {
		err = m.ForwardAll(ctx, s, tokens, func(int, []float32) error { return nil })
	}
	for _, failed := range m.Generate(ctx, s, tokens[:1], GenerateOptions{MaxTokens: 3}) {
		if failed != nil {
			t.Fatal(failed)
		}
	}
	if err == nil {
		_, err = probe.Profile(ctx, m, s, tokens)
	}
	if err != nil {
		t.Fatal(err)
	}
	clone, err := s.Clone()
	if err != nil {
		t.Fatal(err)
	}
	defer clone.Close()
	data, err := s.MarshalBinary()
	if err == nil {
		err = clone.UnmarshalBinary(data)
	}
	if err != nil {
		t.Fatal(err)
	}
	viewState(t, clone)
	if tapper, err := probe.NewTapper(m); err == nil {
		tapper.Close()
	} else if !errors.Is(err, probe.ErrNothing) {
		t.Fatal(err)
	}
}

// nothingLeft fails the test if a closed model holds anything of Vulkan's.
func nothingLeft(t *testing.T, m *Model) {
	t.Helper()
	stats := m.VK().Stats()
	for kind, n := range stats.Handles {
		if n != 0 {
			t.Errorf("%d of kind %s are left", n, kind)
		}
	}
	if stats.DeviceBytes != 0 || stats.HostBytes != 0 || stats.StagingBytes != 0 {
		t.Errorf("memory is left: %+v", stats)
	}
}

// TestCloseTooEarly: a model closed before its states says so and leaves nothing either; the states
// can still be closed.
func TestCloseTooEarly(t *testing.T) {
	m, err := openDir(filepath.Join(goldenDir, "memmamba-token"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.NewState()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Forward(context.Background(), s, []int32{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err == nil || !strings.Contains(err.Error(), "model closed with 1 open states") {
		t.Errorf("%v, want a complaint about 1 open state", err)
	}
	nothingLeft(t, m)
	s.Close()
}

// TestOpenFailsCleanly: an Open that fails after weights went to the device says what it failed of
// and nothing else, as it would of objects that it had left there.
func TestOpenFailsCleanly(t *testing.T) {
	dir := t.TempDir()
	c := refmodel.Default(refmodel.MemMamba)
	c.Vocab, c.Hidden, c.Layers = 64, 32, 5
	if err := refmodel.WriteRandom(dir, c, refmodel.Random{}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(string(data), `"num_hidden_layers": 5`, `"num_hidden_layers": 6`, 1)
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	want := "model " + dir + ": tensor backbone.layers.5.norm.weight is missing"
	if _, err := openDir(dir, Options{}); err == nil || err.Error() != want {
		t.Errorf("%v, want %q", err, want)
	}
}

// TestPadding: a model of rows so narrow that padding makes it many times as large is refused before memory is taken.
func TestPadding(t *testing.T) {
	c, dir := refmodel.Default(refmodel.Mamba), t.TempDir()
	c.Vocab, c.Hidden, c.Inner, c.Layers = 1<<20, 1, 2, 1
	if err := refmodel.WriteRandom(dir, c, refmodel.Random{DType: safetensors.F16}); err != nil {
		t.Fatal(err)
	}
	src, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if _, err := Open(src, Options{}); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "their shapes are not sound") {
		t.Errorf("%v", err)
	}
}
