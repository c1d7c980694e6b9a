package main

import (
	"os"
	"path/filepath"
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
