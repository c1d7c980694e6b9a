package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestSuitSoftware: a small model asks for one thread, a large one and a user who chose are left alone.
func TestSuitSoftware(t *testing.T) {
	for _, test := range []struct {
		name   string
		size   int64
		chosen string
		want   string
	}{{"small", 1000, "", "0"}, {"large", smallModel + 1, "", ""}, {"chosen", 1000, "2", "2"}} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(threadsVariable, test.chosen) // restores what there was
			if test.chosen == "" {
				os.Unsetenv(threadsVariable)
			}
			dir := t.TempDir()
			write(t, filepath.Join(dir, "model.safetensors"), nil)
			if err := os.Truncate(filepath.Join(dir, "model.safetensors"), test.size); err != nil {
				t.Fatal(err)
			}
			if err := suitSoftware(source{name: dir, fsys: os.DirFS(dir), dir: dir}); err != nil {
				t.Fatal(err)
			}
			if got := os.Getenv(threadsVariable); got != test.want {
				t.Errorf("%s is %q, want %q", threadsVariable, got, test.want)
			}
		})
	}
}
