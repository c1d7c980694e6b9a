package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// quantize is a quantized copy of a model.
func quantize(t *testing.T, model string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "q8")
	succeed(t, "quantize", "--model", model, "--to", "q8_0", "--out", to)
	return to
}

// TestQuantize: a quantized checkpoint gives exactly the logits, pools and reads of its source quantized when it
// is loaded, which are others than those of the source.
func TestQuantize(t *testing.T) {
	for _, name := range []string{"mamba-odd-bf16", "memmamba-fifo"} {
		source, tokens := goldenDir(name), file(t, "tokens", manyTokens)
		to, out := quantize(t, source), filepath.Join(t.TempDir(), "out")
		succeed(t, "logits", "--model", source, "--quantize", "q8_0", "--tokens-file", tokens, "--out", out)
		if r, o := verify(t, to, out, "--atol", "0", "--rtol", "0"); !r.OK {
			t.Errorf("%s: %s%s", name, o.stdout, o.stderr)
		}
		if r, o := verify(t, source, out, "--quantize", "q8_0", "--atol", "0", "--rtol", "0"); !r.OK {
			t.Errorf("%s: %s%s", name, o.stdout, o.stderr)
		}
		if r, _ := verify(t, source, out); r.OK {
			t.Errorf("%s: quantizing changed nothing", name)
		}
	}
}

// TestQuantizeFiles: the new directory has all that a model has, nothing is left beside it, and no model is
// quantized twice or given a memory afterwards.
func TestQuantizeFiles(t *testing.T) {
	parent := t.TempDir()
	to := filepath.Join(parent, "q8")
	succeed(t, "quantize", "--to", "q8_0", "--out", to) // the bundled model
	for _, path := range []string{parent, to} {
		files, err := os.ReadDir(path)
		if want := map[string]int{parent: 1, to: 3}[path]; err != nil || len(files) != want {
			t.Errorf("%s holds %v (%v)", path, files, err)
		}
	}
	if got, want := succeed(t, "generate", "x", "-n", "5", "--temp", "0", "--model", to), succeed(t, "generate", "x", "-n", "5", "--temp", "0", "--quantize", "q8_0"); got != want {
		t.Errorf("generates %q, want %q", got, want)
	}
	again := filepath.Join(parent, "again")
	wantError(t, execute(t, "", "quantize", "--model", to, "--to", "q8_0", "--out", again), exitFailure, to+"/config.json: the model is quantized already (q8_0)")
	plain := quantize(t, goldenDir("mamba-tiny"))
	wantError(t, execute(t, "", "convert", "--from", plain, "--to", again), exitFailure, plain+"/config.json: a quantized model cannot be converted")
	if _, err := os.Lstat(again); err == nil {
		t.Errorf("%s was written", again)
	}
}

// TestQuantizeInspect: a quantized model has as many parameters as the one it came from, in half of its bytes.
func TestQuantizeInspect(t *testing.T) {
	plain := filepath.Join("..", "..", "models", "novels-mamba")
	source, got := inspectJSON(t, "--model", plain), inspectJSON(t, "--model", quantize(t, plain))
	if got.Quantization != "q8_0" || source.Quantization != "" || got.Parameters != source.Parameters {
		t.Errorf("%q of %d parameters from %q of %d", got.Quantization, got.Parameters, source.Quantization, source.Parameters)
	}
	if got.WeightBytes*100 > source.WeightBytes*58 || got.DeviceMemory.Weights >= source.DeviceMemory.Weights {
		t.Errorf("%d bytes of weights, %d on the device; from %d and %d", got.WeightBytes, got.DeviceMemory.Weights, source.WeightBytes, source.DeviceMemory.Weights)
	}
	if text := succeed(t, "bench", "-q", "-p", "3", "-n", "0", "-r", "1", "--quantize", "q8_0"); !strings.Contains(text, "vocabulary 257, q8_0\n") {
		t.Errorf("%q does not tell of the quantization", text)
	}
}
