package checkpoint

import (
	"slices"
	"testing"

	"github.com/mmrun/mmrun/internal/bounded"
)

// FuzzIndex reads indices of shards: what is taken names plain files, of which each has a tensor.
func FuzzIndex(f *testing.F) {
	for _, s := range []string{
		`{"metadata": {"total_size": 8}, "weight_map": {"a": "x-1.safetensors", "b": "x-2.safetensors"}}`,
		`{"weight_map": {"a": "../x"}}`, `{"Weight_map": {"a": "x"}}`, `{"weight_map": {"a": 1}}`, `{"weight_map": null}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		bounded.Run(t, len(data), func() {
			s, err := parseIndex(data)
			if err != nil {
				return
			}
			if len(s.Files) == 0 {
				t.Fatal("no files")
			}
			for name, file := range s.of {
				if !slices.Contains(s.Files, file) || !s.Take(name, file, true) {
					t.Fatalf("%q of %q is left out", name, file)
				}
			}
		})
	})
}
