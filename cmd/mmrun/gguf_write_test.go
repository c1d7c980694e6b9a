package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/mmrun/mmrun/models"
)

// TestGGUFRoundTrip: the bundled MemMamba as a GGUF file, and that as a folder again, have the same logits to the bit.
func TestGGUFRoundTrip(t *testing.T) {
	dir, from := t.TempDir(), filepath.Join("..", "..", "models", models.Bundled)
	file, folder := filepath.Join(dir, "m.gguf"), filepath.Join(dir, "m")
	succeed(t, "convert", "--from", from, "--to", file)
	succeed(t, "convert", "--from", file, "--to", folder)
	tokens := filepath.Join(dir, "ids")
	if err := os.WriteFile(tokens, []byte("72 101 108 108 111 32 119 111"), 0o666); err != nil {
		t.Fatal(err)
	}
	var first []byte
	for _, model := range []string{from, file, folder} {
		out := filepath.Join(dir, "out.safetensors")
		succeed(t, "logits", "--model", model, "--tokens-file", tokens, "--out", out)
		data, err := os.ReadFile(out)
		if err == nil {
			err = os.Remove(out)
		}
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = data
		}
		if !bytes.Equal(data, first) {
			t.Errorf("%s: other logits", model)
		}
	}
	wantError(t, execute(t, "", "convert", "--from", from, "--to", filepath.Join(dir, "n.gguf"), "--window", "1"), exitUsage,
		"--window is of a memory, and a GGUF file is written of a model as it is; convert to a folder first")
	wantError(t, execute(t, "", "quantize", "--to", "q4_k_m", "--out", filepath.Join(dir, "q")), exitUsage,
		"--to q4_k_m is written to a GGUF file: --out must end with .gguf")
	quantized := filepath.Join(dir, "q.gguf")
	succeed(t, "quantize", "--model", file, "--to", "q4_k_m", "--out", quantized) // rows that 256 does not divide
	succeed(t, "generate", "x", "-n", "2", "--temp", "0", "--model", quantized)
}
