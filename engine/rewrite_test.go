package engine_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/checkpoint/safetensors"
)

// configOf is a model's config.json.
func configOf(t *testing.T, dir string) []byte {
	t.Helper()
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// rewritten writes a model with a config and with what change makes of the tensors in a directory, to one
// of its own.
func rewritten(t *testing.T, config []byte, dir string, change func(*checkpoint.Tensors) ([]safetensors.Out, error)) string {
	t.Helper()
	src, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	from, err := src.Tensors()
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	tensors, err := change(from)
	if err == nil {
		err = os.WriteFile(filepath.Join(to, "config.json"), config, 0o666)
	}
	if err == nil {
		err = safetensors.CreateModel(to, nil, tensors, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}
