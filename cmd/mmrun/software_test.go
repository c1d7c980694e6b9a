package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mmrun/mmrun/checkpoint/safetensors"
)

// TestSuitSoftware: a small model asks for one thread while it opens; a large one, a Transformer and a user
// who chose are left alone.
func TestSuitSoftware(t *testing.T) {
	for _, test := range []struct {
		name   string
		kind   string
		size   int
		chosen string
		want   string
	}{{"small", "mamba", 1000, "", "0"}, {"large", "mamba", smallModel + 1, "", ""}, {"chosen", "mamba", 1000, "2", "2"},
		{"Transformer", "gpt_neox", 1000, "", ""}} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(threadsVariable, test.chosen) // restores what there was
			if test.chosen == "" {
				os.Unsetenv(threadsVariable)
			}
			dir := t.TempDir()
			weights := safetensors.OfBytes("weights", safetensors.U8, []int{test.size}, make([]byte, test.size))
			if err := safetensors.CreateModel(dir, nil, []safetensors.Out{weights}, 0); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, configName), []byte(`{"model_type": "`+test.kind+`"}`))
			src := openSource(t, dir)
			if test.chosen == "" && suitsOneThread(src) != (test.want == "0") {
				t.Errorf("one thread: %v", suitsOneThread(src))
			}
			undo, err := suitSoftware(src)
			if err != nil {
				t.Fatal(err)
			}
			if got := os.Getenv(threadsVariable); got != test.want {
				t.Errorf("%s is %q, want %q", threadsVariable, got, test.want)
			}
			if undo(); os.Getenv(threadsVariable) != test.chosen {
				t.Errorf("%s is %q afterwards, want %q", threadsVariable, os.Getenv(threadsVariable), test.chosen)
			}
		})
	}
}
