package main

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRightFlag: flags of other programs are answered by those here, and near misses, too.
func TestRightFlag(t *testing.T) {
	flags := generateCommand().Flags
	for typed, want := range map[string]string{
		"max-new-tokens": " (it is --max-tokens here)",
		"max_length":     " (it is --max-tokens here)",
		"file":           " (it is --prompt-file here)",
		"top_p":          " (did you mean --top-p?)",
		"Temperature":    " (did you mean --temperature?)",
		"promt":          " (did you mean --prompt?)",
		"n_predict":      " (did you mean --n-predict?)",
		"ctx-size":       " (there is no need for it: a state has one size, however long the text gets)",
		"frobnicate":     "",
	} {
		if got := rightFlag(typed, flags); got != want {
			t.Errorf("--%s: %q, want %q", typed, got, want)
		}
	}
}

// TestOldHabits: flags as other programs have them, and text that is piped in.
func TestOldHabits(t *testing.T) {
	dir := modelDir(t, "mamba-tiny")
	file := filepath.Join(t.TempDir(), "prompt")
	write(t, file, []byte("It was"))
	tokens := func(stdin string, args ...string) []int32 {
		o := execute(t, stdin, append([]string{"generate", "--json", "-m", dir}, args...)...)
		var report generateReport
		if err := json.Unmarshal([]byte(o.stdout), &report); err != nil {
			t.Fatalf("%v: %v, %s", args, err, o.stderr)
		}
		if threads := slices.Contains(args, "4"); threads != strings.Contains(o.stderr, "-t 4 is taken for threads") {
			t.Errorf("%v: standard error holds %q", args, o.stderr)
		}
		return report.Tokens
	}
	want := tokens("", "--prompt", "It was", "--max-tokens", "6", "--seed", "3", "--temp", "1.5")
	for _, got := range [][]int32{
		tokens("", "-p", "It was", "-n", "6", "-s", "3", "-t", "1.5"),
		tokens("", "-f", file, "--n-predict", "6", "-s", "3", "--temperature", "1.5", "-t", "4"),
		tokens("It was", "-n", "6", "-s", "3", "--temp", "1.5"),
	} {
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	wantError(t, execute(t, "", "generate", "-m", dir, "x", "-t", "0.5", "--temp", "1"), exitUsage, "--temp and -t are the same flag")
}

// TestNaN: weights that are NaN are named, and logits that become so are an error.
func TestNaN(t *testing.T) {
	for name, test := range map[string]struct {
		value float64
		says  string
	}{
		"weights": {math.NaN(), "tensor backbone.norm_f.weight: column 0 is NaN"},
		"logits":  {math.Inf(1), "the logits after token 0 are NaN"},
	} {
		dir := modelDir(t, "mamba-tiny")
		path := filepath.Join(dir, "model.safetensors")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		editHeader(t, path, func(tensors map[string]*tensorEntry) {
			at := len(data) - int(dataSize(tensors)) + int(tensors["backbone.norm_f.weight"].Offsets[0])
			for i := range 16 {
				binary.LittleEndian.PutUint32(data[at+4*i:], math.Float32bits(float32(test.value)))
			}
		})
		write(t, path, data)
		o := execute(t, "1,2,3", "logits", "-q", "-m", dir, "-o", filepath.Join(t.TempDir(), "out"))
		wantError(t, o, exitFailure, test.says)
		if !strings.Contains(o.stderr, dir) {
			t.Errorf("%s: %q does not name %s", name, o.stderr, dir)
		}
	}
}

// dataSize is where the last tensor ends.
func dataSize(tensors map[string]*tensorEntry) (end int64) {
	for _, e := range tensors {
		end = max(end, e.Offsets[1])
	}
	return end
}
