package gguf

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/internal/bounded"
)

// FuzzModel asks all there is to ask of a file: whatever its bytes, every answer is an error or holds
// together, and tensors are as large as they say.
func FuzzModel(f *testing.F) {
	for _, c := range broken {
		if len(c.data) < 4096 {
			f.Add(c.data)
		}
	}
	f.Add(build(slices.Concat(sizes(), words(Entry{"tokenizer.chat_template", "{{ x }}"})), weights()))
	for _, data := range shards() {
		f.Add(data)
	}
	files, err := filepath.Glob("../../cmd/mmrun/testdata/cases/gguf-*/*.gguf")
	if err != nil || len(files) == 0 {
		f.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		bounded.Run(t, len(data), func() { askAll(t, data) })
	})
}

// askAll asks a file for everything.
func askAll(t *testing.T, data []byte) {
	src, err := checkpoint.OpenFS("m", fstest.MapFS{"x.gguf": {Data: data}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	src.(checkpoint.Warner).Warnings()
	names, err := src.Others()
	if err == nil {
		for _, name := range names {
			src.File(name)
		}
	}
	src.Config()
	src.(*source).Tokenizer()
	all, err := src.Tensors()
	if err != nil {
		return
	}
	for _, name := range all.Names() {
		x, _ := all.Tensor(name)
		rows, cols := x.Grid()
		for i := range min(rows, 100) {
			row, err := x.Row(i, nil)
			if err == nil && x.Format != nil && len(row) != x.Format.RowBytes(cols) {
				t.Fatalf("tensor %s: row %d of %d has %d bytes", name, i, cols, len(row))
			}
		}
	}
}
