package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBadInput(t *testing.T) {
	empty, nothing := t.TempDir(), filepath.Join(t.TempDir(), "nothing")
	text := file(t, "text", "just text")
	mamba := goldenDir("mamba-tiny")
	out := filepath.Join(t.TempDir(), "out.safetensors")
	for _, test := range []struct {
		name string
		args []string
		says string
	}{
		{"empty prompt", []string{"generate", "--prompt", ""}, "--prompt: the prompt is empty"},
		{"empty standard input", []string{"generate", "-"}, "standard input: the prompt is empty"},
		{"prompt of bytes", []string{"generate", "a\xffb"}, "not UTF-8 at byte 1"},
		{"no prompt file", []string{"generate", "--prompt-file", nothing}, nothing + ": no such file"},
		{"prompt file is a directory", []string{"generate", "--prompt-file", empty}, empty + ": is a directory"},
		{"no model", []string{"generate", "x", "--model", nothing}, nothing + ": no such model directory"},
		{"model is a file", []string{"generate", "x", "--model", text}, text + ": not a directory"},
		{"empty model", []string{"verify", "--model", empty, "--golden", text}, filepath.Join(empty, configName) + ": no such file"},
		{"no tokenizer", []string{"generate", "x", "--model", mamba}, tokenizerName + ": no such file"},
		{"broken tokenizer", []string{"tokenize", "x", "--tokenizer", text}, text},
		{"unknown device", []string{"generate", "x", "--device", "Voodoo"}, `"Voodoo"`},
		{"no state", []string{"generate", "--state-load", nothing}, nothing + ": no such file"},
		{"no state of ours", []string{"generate", "--state-load", text}, text},
		{"state into nowhere", []string{"generate", "x", "--state-save", filepath.Join(nothing, "s")}, "no such file"},
		{"decode beyond the vocabulary", []string{"tokenize", "--decode", "1,257"}, "token 1 is 257, outside the vocabulary of 257"},
		{"token beyond the vocabulary", []string{"logits", "--model", mamba, "--tokens", "1,256", "--out", out},
			"token 1 is 256, outside the vocabulary of 256"},
		{"no tokens", []string{"logits", "--model", mamba, "--tokens", "", "--out", out}, "there are no tokens"},
		{"out is a directory", []string{"logits", "--model", mamba, "--tokens", "1", "--out", empty}, empty + ": not a regular file"},
		{"no golden", []string{"verify", "--model", mamba, "--golden", nothing}, nothing + ": no such file"},
		{"golden of text", []string{"verify", "--model", mamba, "--golden", text}, text},
		{"golden without tokens", []string{"verify", "--model", mamba, "--golden", filepath.Join(mamba, "model.safetensors")}, `no tensor "tokens"`},
		{"golden of another model", []string{"verify", "--model", goldenDir("memmamba-token"), "--golden", goldenFile("mamba-tiny")}, "tokens"},
		{"golden with a memory", []string{"verify", "--model", mamba, "--golden", goldenFile("memmamba-fifo")}, "which a model of model_type \"mamba\" has not"},
		{"convert onto something", []string{"convert", "--from", mamba, "--to", empty}, empty + ": already exists"},
		{"convert what has a memory", []string{"convert", "--from", goldenDir("memmamba-fifo"), "--to", nothing}, "cannot be converted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			wantError(t, mmrun(t, "", append(test.args, quietIfDevice(test.args[0])...)...), exitFailure, test.says)
			for _, path := range []string{out, nothing} {
				if _, err := os.Lstat(path); err == nil {
					t.Errorf("%s was written", path)
				}
			}
		})
	}
}

// quietIfDevice keeps the note about a CPU device off a line that is looked at.
func quietIfDevice(command string) []string {
	if command == "tokenize" || command == "convert" {
		return nil
	}
	return []string{"--quiet"}
}

func TestBadModel(t *testing.T) {
	config := func(from, to string) func(dir string) {
		return func(dir string) { replace(t, filepath.Join(dir, configName), from, to) }
	}
	weights := func(change func(data []byte) []byte) func(dir string) {
		return func(dir string) {
			path := filepath.Join(dir, "model.safetensors")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, change(data))
		}
	}
	for _, test := range []struct {
		name  string
		spoil func(dir string)
		says  string
	}{
		{"broken config", config("{", "["), configName},
		{"unknown model_type", config(`"mamba"`, `"transformer"`), `model_type "transformer"`},
		{"size of another kind", config(`"hidden_size": 64`, `"hidden_size": "64"`), "hidden_size"},
		{"size out of range", config(`"state_size": 16`, `"state_size": -1`), "state_size -1"},
		{"size that does not fit", config(`"hidden_size": 64`, `"hidden_size": 65`), "backbone."},
		{"missing layer", config(`"num_hidden_layers": 4`, `"num_hidden_layers": 5`), "backbone.layers.4"},
		{"no weights", func(dir string) { os.Remove(filepath.Join(dir, "model.safetensors")) }, "model.safetensors"},
		{"truncated weights", weights(func(b []byte) []byte { return b[:len(b)-10] }), "model.safetensors"},
		{"empty weights", weights(func([]byte) []byte { return nil }), "model.safetensors"},
		{"absurd header", weights(func(b []byte) []byte { b[5] = 0xff; return b }), "header length"},
		{"unknown dtype", weights(func(b []byte) []byte { return []byte(strings.Replace(string(b), `"F32"`, `"F33"`, 1)) }), `F33`},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := modelDir(t, "mamba-tiny")
			test.spoil(dir)
			o := mmrun(t, "", "generate", "x", "-q", "--model", dir)
			wantError(t, o, exitFailure, test.says)
			if !strings.Contains(o.stderr, dir) {
				t.Errorf("%q does not name %s", o.stderr, dir)
			}
		})
	}
}

func replace(t *testing.T, path, from, to string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), from) {
		t.Fatalf("%s holds no %q", path, from)
	}
	write(t, path, []byte(strings.Replace(string(data), from, to, 1)))
}

func TestNoDevice(t *testing.T) {
	for _, args := range [][]string{{"devices"}, {"devices", "--json"}, {"generate", "x"}} {
		cmd := command(args...)
		cmd.Env = append(cmd.Env, "VK_ICD_FILENAMES=/nonexistent", "VK_DRIVER_FILES=/nonexistent")
		wantError(t, finish(t, cmd, ""), exitFailure, "no Vulkan device")
	}
}

func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	cmd := command("tokenize", "x")
	cmd.Stdout = full
	said := new(strings.Builder)
	cmd.Stderr = said
	err = cmd.Run()
	if cmd.ProcessState.ExitCode() != exitFailure || !strings.Contains(said.String(), "no space left on device") {
		t.Errorf("status %d (%v), standard error %q", cmd.ProcessState.ExitCode(), err, said)
	}
}
