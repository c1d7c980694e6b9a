package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/internal/refmodel"
)

// TestOtherTokenizer: a model without a tokenizer writes with the one that is named.
func TestOtherTokenizer(t *testing.T) {
	words := filepath.Join("..", "..", "models", "novels-mamba")
	bare, own := t.TempDir(), t.TempDir()
	c := refmodel.Default(refmodel.Mamba)
	c.Hidden, c.Inner, c.Vocab, c.Layers = 16, 32, 257, 1
	data, err := os.ReadFile(filepath.Join(words, "tokenizer.json"))
	err = errors.Join(err, refmodel.WriteRandom(bare, c, refmodel.Random{Seed: 1}), refmodel.WriteRandom(own, c, refmodel.Random{Seed: 1}),
		os.WriteFile(filepath.Join(own, "tokenizer.json"), data, 0o666),
		os.WriteFile(filepath.Join(own, "chat_template.jinja"), []byte("{{ messages[0].content }}!"), 0o666))
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"generate", "-n", "8", "--temp", "0", "--prompt", "ab", "--model"}
	want := succeed(t, append(args, own)...)
	for _, path := range []string{words, own, filepath.Join(words, "tokenizer.json")} {
		if got := succeed(t, append(args, bare, "--tokenizer", path)...); got != want || want == "" {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if o := execute(t, "hello\n", "chat", "-n", "2", "--temp", "0", "--model", bare, "--tokenizer", own); o.status != 0 || strings.Contains(o.stderr, "template") {
		t.Errorf("chat: %d %s", o.status, o.stderr)
	}
	for says, more := range map[string][]string{"tokenizer.json: no such file": nil, "x: no such file": {"--tokenizer", filepath.Join(words, "x")}} {
		if o := execute(t, "", append(append(args, bare), more...)...); o.status != exitFailure || !strings.Contains(o.stderr, says) {
			t.Errorf("%v: %d %s", more, o.status, o.stderr)
		}
	}
}

// TestPipedText: a text that is piped in needs no --file.
func TestPipedText(t *testing.T) {
	text := strings.Repeat("It was a dark night. ", 4)
	args := []string{"perplexity", "--json", "--quiet"}
	piped := execute(t, text, args...)
	asked := execute(t, text, append(args, "--file", "-")...)
	cut := func(s string) string { before, _, _ := strings.Cut(s, "tokens_per_s"); return before }
	if piped.status != 0 || cut(piped.stdout) != cut(asked.stdout) || !strings.Contains(piped.stdout, "standard input") {
		t.Errorf("%d %s: %s, want %s", piped.status, piped.stderr, piped.stdout, asked.stdout)
	}
}
