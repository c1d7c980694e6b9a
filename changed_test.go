package mmrun_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/engine"
)

// changing are models of every kind of file, and the file of each that holds the numbers.
var changing = map[string]struct{ from, weights string }{
	"safetensors": {filepath.Join("testdata", "golden", "mamba-tiny"), "model.safetensors"},
	"pytorch":     {filepath.Join("cmd", "mmrun", "testdata", "cases", "bin-strides"), "pytorch_model.bin"},
	"gguf":        {filepath.Join("testdata", "gguf", "mamba-f16.gguf"), ""},
}

// copied is a copy of such a model, and the path of its numbers.
func copied(t *testing.T, kind string) (model, weights string) {
	t.Helper()
	from, dir := changing[kind], t.TempDir()
	if from.weights != "" {
		if err := os.CopyFS(dir, os.DirFS(from.from)); err != nil {
			t.Fatal(err)
		}
		return dir, filepath.Join(dir, from.weights)
	}
	data, err := os.ReadFile(from.from)
	model = filepath.Join(dir, filepath.Base(from.from))
	if err = errors.Join(err, os.WriteFile(model, data, 0o666)); err != nil {
		t.Fatal(err)
	}
	return model, model
}

// wantChanged checks the one line that tells of a changed file.
func wantChanged(t *testing.T, err error, file string) {
	t.Helper()
	if !errors.Is(err, checkpoint.ErrChanged) || !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v does not say in a line that %s was changed", err, file)
	}
}

// TestFileShrinks: a file that becomes shorter between two reads of it is an error of the read, by rows, by a hash and by
// closing; a closed source is one, too.
func TestFileShrinks(t *testing.T) {
	for kind := range changing {
		t.Run(kind, func(t *testing.T) {
			model, weights := copied(t, kind)
			src, err := checkpoint.Open(model)
			if err != nil {
				t.Fatal(err)
			}
			tensors, err := src.Tensors()
			if err == nil {
				err = os.Truncate(weights, 0)
			}
			if err != nil {
				t.Fatal(err)
			}
			x, _ := tensors.Tensor(tensors.Names()[0])
			_, err = x.Row(0, nil)
			wantChanged(t, err, weights)
			_, err = x.Float32s()
			wantChanged(t, err, weights)
			wantChanged(t, src.Close(), weights)
			if _, err := x.Row(0, nil); err == nil {
				t.Error("a row of a closed source was read")
			}
		})
	}
}

// TestFileShrinksWhileLoading cuts the file after so many pieces have gone to the device, which every goroutine that loads
// reads from.
func TestFileShrinksWhileLoading(t *testing.T) {
	for kind := range changing {
		for _, after := range []int{0, 3, 9} {
			model, weights := copied(t, kind)
			src, err := checkpoint.Open(model)
			if err != nil {
				t.Fatal(err)
			}
			calls := 0
			m, err := engine.Open(src, engine.Options{Progress: func(_, _ int64) {
				if calls++; calls == after+1 {
					if err := os.Truncate(weights, 0); err != nil {
						t.Error(err)
					}
				}
			}})
			if err == nil { // all was read before
				err = errors.Join(src.Close(), m.Close())
			}
			wantChanged(t, err, weights)
		}
	}
}

// TestFileWritten: a file that is written to while it is read, and keeps its size, is told when the source is closed; one that
// takes its place is not.
func TestFileWritten(t *testing.T) {
	model, weights := copied(t, "safetensors")
	open := func() checkpoint.Source {
		src, err := checkpoint.Open(model)
		if err == nil {
			_, err = src.Tensors()
		}
		if err != nil {
			t.Fatal(err)
		}
		return src
	}
	data, err := os.ReadFile(weights)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(weights, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	src := open()
	if err := os.WriteFile(weights, data, 0o666); err != nil {
		t.Fatal(err)
	}
	wantChanged(t, src.Close(), weights)
	src = open()
	other := weights + ".new"
	if err := errors.Join(os.WriteFile(other, data[:9], 0o666), os.Rename(other, weights)); err != nil {
		t.Fatal(err)
	}
	if err := src.Close(); err != nil {
		t.Errorf("a file took its place: %v", err)
	}
}

// TestHollow: a file of nearly nothing but holes is refused before they become memory.
func TestHollow(t *testing.T) {
	model, weights := copied(t, "safetensors")
	header := []byte(`{"backbone.embeddings.weight":{"dtype":"F32","shape":[1000000,1000],"data_offsets":[0,4000000000]}}`)
	data := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	if err := errors.Join(os.WriteFile(weights, data, 0o666), os.Truncate(weights, 4_000_000_000+int64(len(data)))); err != nil {
		t.Fatal(err)
	}
	src, err := checkpoint.Open(model)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if _, err := src.Tensors(); err == nil || !strings.HasPrefix(err.Error(), weights+": only ") {
		t.Errorf("%v", err)
	}
}
