package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hurried runs the program to its end, which has to come soon.
func hurried(t *testing.T, args ...string) outcome {
	t.Helper()
	cmd := command(args...)
	late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	return finish(t, cmd, "")
}

// TestOddModelFiles: what is no regular file in a model's folder is refused by name, and not waited for.
func TestOddModelFiles(t *testing.T) {
	odd := map[string]func(path string) error{
		"pipe":   func(path string) error { return syscall.Mkfifo(path, 0o666) },
		"folder": func(path string) error { return os.Mkdir(path, 0o777) },
		"device": func(path string) error { return os.Symlink("/dev/zero", path) },
	}
	for kind, replace := range odd {
		for _, file := range []string{"config.json", "tokenizer.json", "model.safetensors", "generation_config.json"} {
			dir := modelDir(t, "mamba-tiny")
			path := filepath.Join(dir, file)
			if err := errors.Join(os.RemoveAll(path), replace(path)); err != nil {
				t.Fatal(err)
			}
			o := hurried(t, "generate", "-q", "--device", "llvmpipe", "--model", dir, "-p", "x", "-n", "1")
			if wantError(t, o, exitFailure, path); !strings.Contains(o.stderr, "not a regular file") && !strings.Contains(o.stderr, "is a directory") {
				t.Errorf("%s as %s: %s", file, kind, o.stderr)
			}
		}
		dir := modelDir(t, "mamba-tiny")
		index := filepath.Join(dir, "model.safetensors.index.json")
		if err := errors.Join(os.Remove(filepath.Join(dir, "model.safetensors")), replace(index)); err != nil {
			t.Fatal(err)
		}
		wantError(t, hurried(t, "inspect", "--model", dir), exitFailure, index+": ")
	}
}

// TestOddTexts: a text is taken from a pipe and refused from what has no end, in every place where there may be one.
func TestOddTexts(t *testing.T) {
	dir := t.TempDir()
	sparse, pipe := filepath.Join(dir, "sparse"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.WriteFile(sparse, nil, 0o666), os.Truncate(sparse, 1<<40), syscall.Mkfifo(pipe, 0o666)); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{
		"generate -f FILE", "generate --batch FILE", "generate x --grammar FILE", "generate x --json-schema FILE", "generate x -q --state-load FILE",
		"tokenize -f FILE", "tokenize --tokenizer FILE x", "logits --out x --tokens-file FILE", "perplexity --file FILE", "passkey -q --filler FILE",
		"render --messages FILE", "verify --golden FILE", "plot --out x.svg FILE", "state FILE", "serve --api-key-file FILE",
	} {
		for file, says := range map[string]string{"/dev/zero": "/dev/zero: ", dir: dir + ": ", sparse: sparse + ": "} {
			if file != "/dev/zero" && !strings.Contains(args, "-f ") && !strings.Contains(args, "state-load") {
				continue // the same function reads it
			}
			wantError(t, hurried(t, strings.Fields(strings.Replace(args, "FILE", file, 1))...), exitFailure, says)
		}
	}
	go func() {
		_ = os.WriteFile(pipe, []byte("of a pipe"), 0o666) // what is read shows it
	}()
	if got, want := succeed(t, "tokenize", "-f", pipe), succeed(t, "tokenize", "of a pipe"); got != want {
		t.Errorf("a pipe is %q, want %q", got, want)
	}
	wantError(t, hurried(t, "perplexity", "--file", pipe, "--against", "x"), exitFailure, pipe+": can be read once only")
}
