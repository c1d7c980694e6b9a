package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/quant"
)

func ggufFile(name string) string { return filepath.Join("..", "..", "testdata", "gguf", name) }

// caseFiles are the GGUF files of a case that others got wrong.
func caseFiles(t *testing.T, name string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(caseDir(name), "*.gguf"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", name, len(files), err)
	}
	return files
}

// TestGGUFGoldens: files of llama.cpp's quantizer give the logits of their weights, and what is widened is said.
func TestGGUFGoldens(t *testing.T) {
	for name, says := range map[string]string{
		"mamba-f16": "", "mamba2-q8_0": "",
		"mamba-q4_0":   "9 matrices of Q4_0, to F16",
		"mamba-q4_k_m": "6 matrices of Q4_K, 1 matrix of Q6_K, to F16",
		"mamba-q6_k":   "7 matrices of Q6_K, to F16",
	} {
		args := []string{"verify", "--model", ggufFile(name + ".gguf"), "--golden", ggufFile(name + ".golden.safetensors")}
		if quant.Q6_K.OnDevice() == quant.Q6_K && strings.Contains(name, "_k") { // shaders read Q4_K and Q6_K, or neither
			says = ""
		}
		if says != "" {
			args = append(args, "--atol", "2e-2", "--rtol", "2e-2")
		}
		o := execute(t, "", args...)
		if o.status != 0 {
			t.Errorf("%s: %s%s", name, o.stderr, o.stdout)
		}
		if line := "widened while loading: "; says == "" && strings.Contains(o.stderr, line) || !strings.Contains(o.stderr, says) {
			t.Errorf("%s: standard error is %q, want %q", name, o.stderr, says)
		}
	}
	if got := inspectJSON(t, "--model", ggufFile("mamba-q4_0.gguf")); got.Widened["Q4_0"] != 9 || len(got.Widened) != 1 {
		t.Errorf("inspect says %v", got.Widened)
	}
	if text := succeed(t, "inspect", "-q", "--model", ggufFile("mamba-q4_0.gguf")); !strings.Contains(text, "\nwidened       9 matrices of Q4_0, to F16\n") {
		t.Errorf("inspect says %s", text)
	}
}

// TestGGUFEnds: a text ends with the token that ends a turn, by whatever of the metadata says which that is.
func TestGGUFEnds(t *testing.T) {
	for _, path := range caseFiles(t, "gguf-end-of-turn") {
		var r generateReport
		out := succeed(t, "generate", "-q", "--json", "--model", path, "--prompt", "the user", "-n", "8", "--temp", "0")
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatal(err)
		}
		if r.FinishReason != string(mmrun.FinishEOS) || !slices.Equal(r.Tokens, []int32{264, 264, 264}) {
			t.Errorf("%s: %s after %v", path, r.FinishReason, r.Tokens)
		}
	}
}

// TestGGUFPre: an unknown way to cut words is refused, a missing one is told of.
func TestGGUFPre(t *testing.T) {
	for _, path := range caseFiles(t, "gguf-pre-unknown") {
		o := execute(t, "", "tokenize", "--model", path, "--prompt", "the user 123")
		if filepath.Base(path) == "unknown.gguf" {
			wantError(t, o, exitFailure, path+`: tokenizer.ggml.pre: "a-new-one" is not known`)
			continue
		}
		if o.status != 0 || o.stdout != "[257,101,32,264,32,49,50,51]\n" || strings.Count(o.stderr, "\n") != 1 || !strings.Contains(o.stderr, "tokenizer.ggml.pre is missing") {
			t.Errorf("%s: %+v", path, o)
		}
	}
}

// TestGGUFBroken: files that lie are refused in one line that names the field.
func TestGGUFBroken(t *testing.T) {
	for name, says := range map[string]string{
		"gguf-alignment-bad": "general.alignment: ", "gguf-tensor-sizes": "tensor ", "gguf-types-gone": `"blk.0.ssm_in.weight": type `,
	} {
		for _, path := range caseFiles(t, name) {
			out := filepath.Join(t.TempDir(), "out")
			o := execute(t, "", "logits", "-q", "--model", path, "--tokens", "1,2,3", "--out", out)
			wantError(t, o, exitFailure, path+": ")
			if !strings.Contains(o.stderr, says) {
				t.Errorf("%s: %s", path, o.stderr)
			}
			if _, err := os.Stat(out); err == nil {
				t.Errorf("%s: %s was written", path, out)
			}
		}
	}
}

// TestGGUFToFolder: what is written of a GGUF file is a whole model, with a tokenizer of the same tokens.
func TestGGUFToFolder(t *testing.T) {
	from, to := ggufFile("mamba-f16.gguf"), filepath.Join(t.TempDir(), "folder")
	succeed(t, "quantize", "--model", from, "--to", "q8_0", "--out", to)
	args := []string{"generate", "-q", "--json", "--prompt", "the user\n and 12 <|endoftext|>", "-n", "1", "--temp", "0", "--model"}
	var want, got generateReport
	err := errors.Join(json.Unmarshal([]byte(succeed(t, append(args, from)...)), &want), json.Unmarshal([]byte(succeed(t, append(args, to)...)), &got))
	if err != nil || len(want.PromptTokens) == 0 || !slices.Equal(want.PromptTokens, got.PromptTokens) || want.Text != got.Text {
		t.Errorf("%v and %v (%v)", want, got, err)
	}
}
