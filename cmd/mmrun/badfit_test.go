package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestTokenizerOfAnotherModel: a text may have tokens that the model has not.
func TestTokenizerOfAnotherModel(t *testing.T) {
	for model, command := range map[string]string{"mamba-tiny": "generate", "memmamba-fifo": "notes"} {
		dir := modelDir(t, model) // 256 tokens and a tokenizer of 257
		says := filepath.Join(dir, tokenizerName) + ": token id 256 of the text is outside the model's vocabulary of 256 (vocab_size in config.json)"
		wantError(t, execute(t, "", command, "-q", "--model", dir, "text<|endoftext|>"), exitFailure, says)
		if command == "generate" { // of many lines, before the first is printed
			path := file(t, "prompts", "text\ntext<|endoftext|>\n")
			wantError(t, execute(t, "", command, "-q", "--model", dir, "--batch", path, "--batch-size", "1"), exitFailure, path+": line 2: "+says)
		}
	}
}

// TestConvertFewLayers: the default period is no longer than the model.
func TestConvertFewLayers(t *testing.T) {
	dir, to := modelDir(t, "mamba-tiny"), filepath.Join(t.TempDir(), "to")
	substitute(t, filepath.Join(dir, configName), `"num_hidden_layers": 4`, `"num_hidden_layers": 3`)
	succeed(t, "convert", "--from", dir, "--to", to)
	substitute(t, filepath.Join(to, configName), `"cross_layer_period": 3`, `"cross_layer_period": 3`) // it is there
	wantError(t, execute(t, "", "convert", "--from", dir, "--to", to+"2", "--period", "4"), exitUsage, "cross_layer_period 4 is not within 1 to 3")
}

// TestNoRoom runs out of room for a file half way: the file is named, not the temporary one beside it,
// and neither is left.
func TestNoRoom(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	memmamba := modelDir(t, "memmamba-fifo")
	for _, test := range []struct {
		name, file string
		args       []string
	}{
		{"logits", "out", []string{"logits", "-q", "--model", memmamba, "--tokens", "1,2,3", "--out"}},
		{"state", "out", []string{"generate", "-q", "--model", memmamba, "text", "-n", "0", "--state-save"}},
		{"page", "out", []string{"notes", "-q", "--model", memmamba, "text of a page", "--html"}},
		{"directory", ".tmp/tokenizer.json", []string{"convert", "--from", modelDir(t, "mamba-tiny"), "--to"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "out")
			cmd := command(append(test.args, path)...)
			cmd.Args = append([]string{shell, "-c", `ulimit -f 2; exec "$0" "$@"`}, cmd.Args...) // 1 KiB
			cmd.Path = shell
			wantError(t, finish(t, cmd, ""), exitFailure, test.file+": file too large")
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("%v is left (%v)", left, err)
			}
		})
	}
}
