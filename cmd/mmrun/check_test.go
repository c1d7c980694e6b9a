package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/checkpoint/safetensors"
	"github.com/mmrun/mmrun/internal/refmodel"
)

func verify(t *testing.T, model, golden string, args ...string) (verifyReport, outcome) {
	t.Helper()
	o := execute(t, "", append([]string{"verify", "-q", "--json", "--model", model, "--golden", golden}, args...)...)
	var r verifyReport
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatalf("%v: %q, %s", err, o.stdout, o.stderr)
	}
	return r, o
}

func TestVerifyGoldens(t *testing.T) {
	for name, checks := range map[string]int{
		"mamba-tiny": 2, "mamba-odd-bf16": 2, "memmamba-fifo": 4 + 2*8, "memmamba-priority": 4 + 2*8, "memmamba-token": 4 + 2*4,
		"neox-parallel": 2, "neox-sequential-odd": 2, "neox-f16": 2,
	} {
		for _, chunk := range []int{1, 7, 64, 512} {
			t.Run(name+"/"+strconv.Itoa(chunk), func(t *testing.T) {
				r, o := verify(t, goldenDir(name), goldenFile(name), "--chunk", strconv.Itoa(chunk))
				if !r.OK || o.status != 0 || len(r.Checks) != checks {
					t.Errorf("status %d, %d checks, want %d: %s%s", o.status, len(r.Checks), checks, o.stdout, o.stderr)
				}
			})
		}
	}
}

// A change is one number of a golden replaced, and where verify must see it.
type change struct {
	tensor string
	at     int
	value  float32
	where  string
}

// changed is the golden of a model with some numbers replaced.
func changed(t *testing.T, name string, changes map[string]change) string {
	t.Helper()
	f, err := safetensors.Open(goldenFile(name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []safetensors.Out
	for _, n := range f.Names() {
		v, _ := f.Tensor(n)
		c, ok := changes[n]
		switch {
		case !ok:
			out = append(out, safetensors.OfBytes(n, v.DType, v.Shape, v.Data))
		case v.DType == safetensors.I32:
			values := ints(t, f, n)
			values[c.at] = int32(c.value)
			out = append(out, safetensors.OfInt32(n, v.Shape, values))
		default:
			values := floats(t, f, n)
			values[c.at] = c.value
			out = append(out, safetensors.OfFloat32(n, v.DType, v.Shape, values))
		}
	}
	path := filepath.Join(t.TempDir(), "changed.safetensors")
	if err := safetensors.Create(path, nil, out); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestVerifyFinds changes one number of a tensor and expects it, and nothing else, to be pointed out.
func TestVerifyFinds(t *testing.T) {
	changes := map[string]change{}
	for _, c := range []change{
		{"logits", 5*64 + 9, 100, "token 5, logit 9: "},
		{"greedy", 31, 1, "token 31: "},
		{"reads", 3*4 + 2, 7, "window 3, layer 2: "},
		{"pool_count", 1, 3, "layer 1: got 7, want 3"},
		{"pool.2", 2*16 + 1, 100, "note 2, number 1: "},
		{"importance.3", 4, 2, "note 4: "},
	} {
		changes[c.tensor] = c
	}
	r, o := verify(t, goldenDir("memmamba-token"), changed(t, "memmamba-token", changes))
	if r.OK || o.status != exitFailure || !strings.HasSuffix(o.stderr, " in logits, greedy, reads, pool.2, importance.3, pool_count\n") {
		t.Errorf("status %d, %s", o.status, o.stderr)
	}
	for _, c := range r.Checks {
		change, spoilt := changes[c.Name]
		if c.OK == spoilt {
			t.Errorf("%s: ok %t", c.Name, c.OK)
		}
		if spoilt && (c.Out != 1 || c.First == nil || !strings.HasPrefix(*c.First, change.where)) {
			t.Errorf("%+v, want 1 out at %q", c, change.where)
		}
	}
}

// TestGoldenOfOtherLayers: what would go uncompared is refused.
func TestGoldenOfOtherLayers(t *testing.T) {
	for from, to := range map[string]string{"pool.0": "pool.4", "importance.3": "importance.03", "pool.1": "pool.x", "pool_count": "pool"} {
		path := file(t, "golden", "")
		data, err := os.ReadFile(goldenFile("memmamba-token")) // of 4 layers
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, data)
		editHeader(t, path, func(h map[string]*tensorEntry) { h[to] = h[from]; delete(h, from) })
		o := execute(t, "", "verify", "-q", "--model", goldenDir("memmamba-token"), "--golden", path)
		wantError(t, o, exitFailure, path+": "+to+": the model has nothing to compare it with")
	}
}

// TestLogitsIsAGolden: what logits writes, verify accepts with no error at all.
func TestLogitsIsAGolden(t *testing.T) {
	for name, checks := range map[string]int{"mamba-tiny": 1, "memmamba-token": 3 + 2*4, "memmamba-growing": 3 + 2*6, "memmamba-triggered": 4 + 2*6} {
		out := filepath.Join(t.TempDir(), "out.safetensors")
		tokens := file(t, "tokens", "[1, 2, 3, 5, 8, 13, 21, 34, 55, 1, 2, 3]")
		succeed(t, "logits", "--model", goldenDir(name), "--tokens-file", tokens, "--out", out)
		r, o := verify(t, goldenDir(name), out, "--atol", "0", "--rtol", "0")
		if !r.OK || r.Tokens != 12 || len(r.Checks) != checks {
			t.Errorf("%s: %s%s", name, o.stdout, o.stderr)
		}
	}
}

func TestConvertChangesNoLogit(t *testing.T) {
	for _, test := range []struct {
		model string
		args  []string
	}{
		{"mamba-tiny", nil},
		{"mamba-tiny", []string{"--window", "1", "--period", "1", "--fusion", "gated", "--replacement", "priority", "--pooling", "mean"}},
		{"mamba-odd-bf16", []string{"--window", "16", "--period", "2", "--pool-size", "3", "--summary-dim", "5", "--pooling", "max",
			"--note-threshold", "0.2", "--state-threshold", "0"}},
		{"mamba-tiny", []string{"--window", "4", "--period", "2", "--pool-size", "2", "--pool-growth", "3", "--pool-max", "9", "--trigger", "state", "--trigger-threshold", "0.4"}},
	} {
		to := filepath.Join(t.TempDir(), "converted")
		succeed(t, append([]string{"convert", "--from", goldenDir(test.model), "--to", to}, test.args...)...)
		if r, o := verify(t, to, goldenFile(test.model)); !r.OK {
			t.Errorf("%v: %s", test, o.stdout)
		}
		plain := filepath.Join(t.TempDir(), "plain")
		succeed(t, "logits", "--model", goldenDir(test.model), "--tokens-file", file(t, "tokens", manyTokens), "--out", plain)
		// Exact except for the kernels that windows of other lengths run through, which round differently.
		if r, o := verify(t, to, plain, "--atol", "1e-5", "--rtol", "1e-5"); !r.OK {
			t.Errorf("%v: the logits are others: %s", test, o.stdout)
		}
	}
}

// TestConvertFalcon: FalconMamba's norms stand under the memory, too, and without them the logits would be others.
func TestConvertFalcon(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "to")
	falcon := refmodel.Default(refmodel.FalconMamba)
	falcon.Vocab, falcon.Hidden, falcon.Layers = 128, 32, 3
	if err := refmodel.WriteRandom(from, falcon, refmodel.Random{Seed: 2}); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(t.TempDir(), "plain")
	succeed(t, "logits", "--model", from, "--tokens-file", file(t, "tokens", manyTokens), "--out", plain)
	succeed(t, "convert", "--from", from, "--to", to, "--window", "16")
	if r, o := verify(t, to, plain, "--atol", "1e-5", "--rtol", "1e-5"); !r.OK || len(r.Checks) != 1 {
		t.Errorf("the logits are others: %s", o.stdout)
	}
	if in := inspectJSON(t, "--model", to); in.Memory == nil || in.Memory.MixerType != refmodel.FalconMamba || in.Memory.Window != 16 {
		t.Errorf("memory %+v", in.Memory)
	}
	substitute(t, filepath.Join(to, configName), `"mixer_type": "falcon_mamba"`, `"mixer_type": "mamba"`)
	if r, _ := verify(t, to, plain, "--atol", "1e-5", "--rtol", "1e-5"); r.OK {
		t.Error("the logits do not tell the mixers apart")
	}
}

// manyTokens reaches into the third window of 16 tokens.
var manyTokens = strings.Repeat("1 2 3 5 8 13 21 34 55 89\n", 4)

func TestConvertUsage(t *testing.T) {
	to := filepath.Join(t.TempDir(), "to")
	for flag, says := range map[string]string{
		"--period=9": "cross_layer_period 9", "--window=0": "--window: 0 is less than 1", "--pooling=sum": `cross_layer_pooling "sum"`,
		"--pool-growth=-1": "--pool-growth: -1 is less than 0", "--pool-max=49": "memory_pool_max 49 is not within 50 to 256", "--trigger=now": `cross_layer_trigger "now"`,
	} {
		wantError(t, execute(t, "", "convert", "--from", goldenDir("mamba-tiny"), "--to", to, flag), exitUsage, says)
	}
}

func TestBench(t *testing.T) {
	var r benchReport
	out := succeed(t, "bench", "--json", "--ops", "-p", "20", "-n", "3", "-r", "2", "--model", goldenDir("memmamba-fifo"))
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Results) != 2 || len(r.Ops) != 2 {
		t.Fatalf("%d results, %d profiles, want 2 of each", len(r.Results), len(r.Ops))
	}
	for i, result := range r.Results {
		if len(result.Samples) != 2 || result.Mean <= 0 || result.Best < result.Mean || result.Deviation < 0 {
			t.Errorf("%+v", result)
		}
		share := 0.0
		for _, op := range r.Ops[i].Ops {
			share += op.Share
		}
		if share < 0.999 || share > 1.001 {
			t.Errorf("%s: the shares of the ops add up to %g", result.Test, share)
		}
	}
	table := succeed(t, "bench", "-p", "5", "-n", "0", "-r", "1", "-q")
	if !strings.Contains(table, "\nprompt        0       5  ") || strings.Contains(table, "generate") {
		t.Errorf("table:\n%s", table)
	}
}

func TestMeanDeviation(t *testing.T) {
	if m, d := meanDeviation([]float64{2, 4, 4, 4, 6}); m != 4 || d*d < 1.999 || d*d > 2.001 {
		t.Errorf("got %g ± %g, want 4 ± √2", m, d)
	}
	if m, d := meanDeviation([]float64{3}); m != 3 || d != 0 {
		t.Errorf("one value: got %g ± %g", m, d)
	}
}
