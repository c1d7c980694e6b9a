package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/mmrun/mmrun/internal/refmodel"
	"github.com/mmrun/mmrun/models"
)

// TestGGUFRoundTrip: the bundled MemMamba as a GGUF file, and that as a folder again, have the same logits to the bit.
func TestGGUFRoundTrip(t *testing.T) {
	dir, from := t.TempDir(), filepath.Join("..", "..", "models", models.Bundled)
	file, folder := filepath.Join(dir, "m.gguf"), filepath.Join(dir, "m")
	succeed(t, "convert", "--from", from, "--to", file)
	succeed(t, "convert", "--from", file, "--to", folder)
	tokens := filepath.Join(dir, "ids")
	if err := os.WriteFile(tokens, []byte("72 101 108 108 111 32 119 111"), 0o666); err != nil {
		t.Fatal(err)
	}
	var first []byte
	for _, model := range []string{from, file, folder} {
		out := filepath.Join(dir, "out.safetensors")
		succeed(t, "logits", "--model", model, "--tokens-file", tokens, "--out", out)
		data, err := os.ReadFile(out)
		if err == nil {
			err = os.Remove(out)
		}
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = data
		}
		if !bytes.Equal(data, first) {
			t.Errorf("%s: other logits", model)
		}
	}
	wantError(t, execute(t, "", "convert", "--from", from, "--to", filepath.Join(dir, "n.gguf"), "--window", "1"), exitUsage,
		"--window is of a memory, and a GGUF file is written of a model as it is; convert to a folder first")
	wantError(t, execute(t, "", "quantize", "--to", "q4_k_m", "--out", filepath.Join(dir, "q")), exitUsage,
		"--to q4_k_m is written to a GGUF file: --out must end with .gguf")
	quantized := filepath.Join(dir, "q.gguf")
	succeed(t, "quantize", "--model", file, "--to", "q4_k_m", "--out", quantized) // rows that 256 does not divide
	succeed(t, "generate", "x", "-n", "2", "--temp", "0", "--model", quantized)
}

// TestGGUFTokenizers: a folder's tokenizer, of whatever kind, and its chat template come back from a GGUF file: the same ids,
// the same rendering.
func TestGGUFTokenizers(t *testing.T) {
	const template = "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content|trim }}{{ eos_token }}{% endfor %}"
	const messages = `[{"role": "user", "content": " a ab\n"}]`
	const unigram = `{"added_tokens":[{"id":0,"content":"<unk>","special":true},{"id":1,"content":"<s>","special":true},{"id":2,"content":"</s>","special":true}],
		"pre_tokenizer":{"type":"Metaspace","prepend_scheme":"always"},"decoder":{"type":"Metaspace"},
		"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["<s>",0],["</s>",0],["▁",-2],["a",-3],["b",-3],["▁ab",-4]]}}`
	for name, files := range map[string]map[string]string{
		"unigram": {"tokenizer.json": unigram},
		"pair":    {"vocab.json": `{"a":0,"b":1,"ab":2,"Ġ":3,"Ġab":4,"<s>":5,"</s>":6,"Ċ":7}`, "merges.txt": "#version: 0.2\na b\nĠ ab\n"},
	} {
		dir := t.TempDir()
		folder, file, talk := filepath.Join(dir, "m"), filepath.Join(dir, "m.gguf"), filepath.Join(dir, "talk")
		c := refmodel.Default(refmodel.Mamba)
		c.Hidden, c.Inner, c.Vocab, c.Layers = 16, 32, 64, 1
		err := errors.Join(refmodel.WriteRandom(folder, c, refmodel.Random{Seed: 1}), os.WriteFile(talk, []byte(messages), 0o666))
		files["tokenizer_config.json"] = `{"bos_token":"<s>","eos_token":"</s>","add_bos_token":true}`
		files["chat_template.jinja"] = template
		for name, data := range files {
			err = errors.Join(err, os.WriteFile(filepath.Join(folder, name), []byte(data), 0o666))
		}
		if err != nil {
			t.Fatal(err)
		}
		succeed(t, "convert", "--from", folder, "--to", file)
		for _, args := range [][]string{{"tokenize", "--prompt", "ab a</s>ab"}, {"render", "--messages", talk}} {
			want, got := succeed(t, append(args, "--model", folder)...), succeed(t, append(args, "--model", file)...)
			if got != want || len(want) < 10 {
				t.Errorf("%s: %s gives %q of the file and %q of the folder", name, args[0], got, want)
			}
		}
	}
}
