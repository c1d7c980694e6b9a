package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// caseDir is a small model that others' files are like, as people have them.
func caseDir(name string) string { return filepath.Join("testdata", "cases", name) }

// TestFilesPeopleHave: models in the forms that people have them are run, those with logits beside them exactly.
func TestFilesPeopleHave(t *testing.T) {
	for _, name := range []string{
		"bin-strides", "config-infinity", "config-key-case", "config-swish", "mamba2-float-tag", "mamba2-no-norm", "mamba2-untied-default",
		"original-layer-alias", "original-mamba2-limits", "safetensors-entry-field", "safetensors-fp8-extra", "shard-tensor-not-in-index",
		"state-spaces-original", "tied-but-other-head",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := caseDir(name)
			args := []string{"logits", "--model", dir, "--tokens", "1,2,3", "--out", filepath.Join(t.TempDir(), "out")}
			if golden := filepath.Join(dir, "golden.safetensors"); exists(golden) {
				args = []string{"verify", "--model", dir, "--golden", golden}
			}
			o := execute(t, "", append(args, "--device", "llvmpipe")...)
			if o.status != 0 {
				t.Errorf("status %d: %s", o.status, o.stderr)
			}
			warned := strings.Contains(o.stderr, "the head of the file is taken") && strings.Count(o.stderr, "\n") == 1
			if want := name == "tied-but-other-head"; warned != want || !want && o.stderr != "" {
				t.Errorf("standard error holds %q", o.stderr)
			}
		})
	}
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// TestFilesOfNoUse: what cannot be used says why.
func TestFilesOfNoUse(t *testing.T) {
	for name, says := range map[string]string{
		"state-spaces-mamba2": "config.json: ssm_cfg: headdim 64 does not divide expand 2 of d_model 8",
		"pytorch-bin-only":    "pytorch_model.bin: broken zip, cut short maybe",
		"lfs-pointer":         "model.safetensors: a Git LFS pointer lies here, not the file itself; 'git lfs pull' in its folder gets that",
	} {
		wantError(t, execute(t, "", "logits", "-q", "--model", caseDir(name), "--tokens", "1", "--out", filepath.Join(t.TempDir(), "out")), exitFailure, says)
	}
}

// TestQuantizeForms: what is written is as Hugging Face has it, whatever form the model had.
func TestQuantizeForms(t *testing.T) {
	for name, want := range map[string]string{
		"config-infinity":        "Infinity",
		"original-mamba2-limits": `"model_type": "mamba2"`,
		"safetensors-fp8-extra":  `"quant_method": "q8_0"`,
		"tied-but-other-head":    `"tie_word_embeddings": false`,
	} {
		out := filepath.Join(t.TempDir(), "out")
		succeed(t, "quantize", "--model", caseDir(name), "--to", "q8_0", "--out", out)
		config, err := os.ReadFile(filepath.Join(out, configName))
		if err != nil || !strings.Contains(string(config), want) {
			t.Errorf("%s: %v, %s", name, err, config)
		}
		succeed(t, "logits", "-q", "--model", out, "--tokens", "1,2,3", "--out", filepath.Join(t.TempDir(), "logits"))
	}
}

// TestGenerationConfig: a generation_config.json has further ends and settings of sampling, which flags go before.
func TestGenerationConfig(t *testing.T) {
	dir := modelDir(t, "mamba-tiny")
	generate := func(flags ...string) (report generateReport) {
		out := succeed(t, append([]string{"generate", "-q", "--json", "--model", dir, "--prompt", "It was", "-n", "12", "--seed", "1"}, flags...)...)
		if err := json.Unmarshal([]byte(out), &report); err != nil {
			t.Fatal(err)
		}
		return report
	}
	greedy := generate("--temp", "0").Tokens
	end := slices.IndexFunc(greedy, func(id int32) bool { return id != greedy[0] })
	if end < 0 {
		t.Fatalf("%v has one token alone", greedy)
	}
	write(t, filepath.Join(dir, "generation_config.json"), fmt.Appendf(nil, `{"eos_token_id": [%d], "do_sample": false, "temperature": 0.7}`, greedy[end]))
	if got := generate(); got.FinishReason != "eos" || !slices.Equal(got.Tokens, greedy[:end]) {
		t.Errorf("%s, %v, want %v", got.FinishReason, got.Tokens, greedy[:end])
	}
	if got := generate("--temp", "3", "--top-k", "0", "--min-p", "0", "--top-p", "0").Tokens; !slices.Equal(got, greedy[:end]) {
		t.Errorf("--top-p 0 gives %v, want the likeliest, %v", got, greedy[:end])
	}
	if got := generate("--temp", "3", "--top-k", "0", "--min-p", "0", "--top-p", "1").Tokens; slices.Equal(got, greedy[:end]) {
		t.Errorf("--temp 3 does not go before the file: %v", got)
	}
	want := fmt.Sprintf("generation    temperature 0, eos_token_id [%d]\n", greedy[end])
	if got := succeed(t, "inspect", "--model", dir); !strings.Contains(got, want) {
		t.Errorf("%s has no line %q", got, want)
	}
	write(t, filepath.Join(dir, "generation_config.json"), []byte(`{"top_p": 2}`))
	wantError(t, execute(t, "", "generate", "-q", "--model", dir, "x"), exitFailure, "generation_config.json: top_p 2 is not between 0 and 1")
}
