package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mmrun/mmrun/internal/refmodel"
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

// TestSourceShrinks: a model that is cut short while it is quantized or converted is an error in one line that names it, and
// nothing is left of what was to be written.
func TestSourceShrinks(t *testing.T) {
	for _, args := range [][]string{
		{"quantize", "--to", "q8_0", "--model", "MODEL", "--out", "OUT"},
		{"quantize", "--to", "q8_0", "--model", "MODEL", "--out", "OUT.gguf"},
		{"convert", "--from", "MODEL", "--to", "OUT"},
	} {
		model, dir := t.TempDir(), t.TempDir()
		weights := filepath.Join(model, "model.safetensors")
		words, err := os.ReadFile(filepath.Join("..", "..", "models", "novels-mamba", "tokenizer.json"))
		err = errors.Join(err, refmodel.WriteRandom(model, largeMamba(), refmodel.Random{Seed: 1}), os.WriteFile(filepath.Join(model, "tokenizer.json"), words, 0o666))
		if err != nil {
			t.Fatal(err)
		}
		for i := range args {
			args[i] = strings.NewReplacer("MODEL", model, "OUT", filepath.Join(dir, "out")).Replace(args[i])
		}
		cmd, stdout, stderr := start(t, args...)
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
			if files, err := os.ReadDir(dir); err == nil && len(files) > 0 || time.Now().After(deadline) {
				break
			}
		}
		err = os.Truncate(weights, 1<<12)
		if _, e := io.ReadAll(stdout); e != nil || err != nil {
			t.Fatal(e, err)
		}
		cmd.Wait()
		wantError(t, outcome{"", stderr.String(), cmd.ProcessState.ExitCode()}, exitFailure, weights+": the file was changed while it was read")
		if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
			t.Errorf("%v: left %v (%v)", args, files, err)
		}
	}
}

// largeMamba takes some time to be written.
func largeMamba() refmodel.Config {
	c := refmodel.Default(refmodel.Mamba)
	c.Hidden, c.Inner, c.Vocab, c.Layers = 512, 1024, 5000, 2
	return c
}
