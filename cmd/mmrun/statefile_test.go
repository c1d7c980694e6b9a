package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestState: a saved state says what it is of, and one that was altered nothing.
func TestState(t *testing.T) {
	saved := filepath.Join(t.TempDir(), "saved")
	succeed(t, "generate", "-q", "--prompt", "It was a dark night", "-n", "0", "--state-save", saved)
	got := succeed(t, "state", saved)
	for _, want := range []string{", novels-memmamba\n", "position  19 tokens\n", "tokens    73 116 32 119", `text      "It was a dark night"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	if got := succeed(t, "state", "--model", modelDir(t, "memmamba-fifo"), "--json", saved); !strings.Contains(got, `"position":19,`) || strings.Contains(got, `"model"`) {
		t.Errorf("beside another model: %s", got)
	}
	data, err := os.ReadFile(saved)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2]++
	if err := os.WriteFile(saved, data, 0o644); err != nil {
		t.Fatal(err)
	}
	wantError(t, execute(t, "", "state", saved), 1, "checksum")
	wantError(t, execute(t, "", "state"), 2, "FILE")
}
