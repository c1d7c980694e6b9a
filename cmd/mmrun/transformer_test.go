package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/internal/refmodel"
)

// transformerDir is a random Transformer of bytes for the given number of tokens.
func transformerDir(t *testing.T, positions int) string {
	t.Helper()
	dir, c := t.TempDir(), refmodel.DefaultTransformer()
	c.Layers, c.Hidden, c.Heads, c.Vocab, c.Positions = 2, 32, 2, 257, positions
	if err := refmodel.WriteRandomTransformer(dir, c, refmodel.Random{}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join("..", "..", "models", "novels-mamba", tokenizerName))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, tokenizerName), data)
	return dir
}

// TestTransformerCommands: a Transformer runs with every command that does not ask for a state space.
func TestTransformerCommands(t *testing.T) {
	dir, text := transformerDir(t, 600), file(t, "text", strings.Repeat("So it goes. ", 30))
	state := filepath.Join(t.TempDir(), "state")
	first := generate(t, "--model", dir, "--prompt", novel, "--max-tokens", "5", "--temp", "0", "--state-save", state)
	second := generate(t, "--model", dir, "--max-tokens", "4", "--temp", "0", "--state-load", state)
	whole := generate(t, "--model", dir, "--prompt", novel, "--max-tokens", "9", "--temp", "0")
	if parts := append(first.Tokens, second.Tokens...); !slices.Equal(parts, whole.Tokens) || len(parts) != 9 {
		t.Errorf("tokens %v, want %v", parts, whole.Tokens)
	}
	for _, args := range [][]string{
		{"perplexity", "--file", text, "--context", "100,all"},
		{"passkey", "--lengths", "200", "--depths", "2", "--trials", "1"},
		{"docs", "--documents", "1", "--trials", "1"},
		{"bench", "-p", "20", "-n", "3", "-r", "1", "--ops"},
	} {
		succeed(t, append([]string{args[0], "--model", dir, "--quiet"}, args[1:]...)...)
	}
	for says, args := range map[string][]string{
		"writes no notes":                    {"notes", "x"},
		`model_type "gpt_neox" has no state`: {"fidelity", "--file", text, "--tokens", "64", "--samples", "4"},
		"a sequence of 800 tokens is longer": {"passkey", "--lengths", "800", "--depths", "1", "--trials", "1"},
	} {
		wantError(t, execute(t, "", append([]string{args[0], "--model", dir, "--quiet"}, args[1:]...)...), exitFailure, says)
	}
	full := execute(t, "", "generate", "--model", dir, "--quiet", "--temp", "0", "--max-tokens", "9", strings.Repeat("x", 598))
	if says := "a sequence of 601 tokens is longer than the model's 600"; full.status != exitFailure || !strings.Contains(full.stderr, says) {
		t.Errorf("status %d, %q does not say %q", full.status, full.stderr, says)
	}
	wantError(t, execute(t, "", "convert", "--from", dir, "--to", filepath.Join(t.TempDir(), "x")), exitFailure, `model_type "gpt_neox" cannot be converted (falcon_mamba, mamba, mamba2 can)`)
}
