package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/checkpoint/safetensors"
	"github.com/mmrun/mmrun/internal/refmodel"
)

func TestRun(t *testing.T) {
	dir := t.TempDir()
	tokenizer := filepath.Join(dir, "t")
	if err := os.WriteFile(tokenizer, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "a", "model")
	args := strings.Fields("--type memmamba --dtype bf16 --layers 4 --hidden 32 --vocab 50 --rank 3 --pool 7 --fusion gated --tied=false --shard 5000 --seed 9")
	if err := run(append(args, "--out", out, "--tokenizer", tokenizer), io.Discard); err != nil {
		t.Fatal(err)
	}
	m, err := refmodel.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	c := m.Config
	if c.Layers != 4 || c.Hidden != 32 || c.Inner != 64 || c.Vocab != 50 || c.Rank != 3 || c.Tied || c.Pool != 7 || !c.Gated() {
		t.Errorf("configuration %+v %+v", c, c.Memory)
	}
	if copied, err := os.ReadFile(filepath.Join(out, "tokenizer.json")); err != nil || !bytes.Equal(copied, []byte("{}")) {
		t.Errorf("tokenizer.json holds %q, error %v", copied, err)
	}
	if shards, err := filepath.Glob(filepath.Join(out, "model-*.safetensors")); err != nil || len(shards) < 2 {
		t.Errorf("shards %v, error %v", shards, err)
	}
}

func TestShapes(t *testing.T) {
	o, err := parse([]string{"--out", "x", "--shape", "370m", "--dtype", "f16"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	c := o.config
	if c.ModelType != refmodel.Mamba || c.Memory != nil || c.Layers != 48 || c.Hidden != 1024 || c.Vocab != 50280 ||
		!c.Tied || o.random.DType != safetensors.F16 {
		t.Errorf("got %+v", o)
	}
}

func TestTransformer(t *testing.T) {
	o, err := parse(strings.Fields("--out x --type gpt_neox --layers 2 --hidden 128 --vocab 99 --positions 77 --parallel=false"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want := refmodel.Transformer{Vocab: 99, Hidden: 128, Layers: 2, Positions: 77, Rotary: 0.25, AttentionBias: true}
	if o.transformer == nil || *o.transformer != want {
		t.Errorf("got %+v, want %+v", o.transformer, want)
	}
	out := filepath.Join(t.TempDir(), "model")
	if err := run(strings.Fields("--type gpt_neox --layers 1 --hidden 8 --vocab 9 --dtype f16 --out "+out), io.Discard); err != nil {
		t.Fatal(err)
	}
	files, err := safetensors.OpenModel(out)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	if x, ok := files.Tensor("gpt_neox.layers.0.mlp.dense_h_to_4h.weight"); !ok || x.DType != safetensors.F16 || x.Shape[0] != 32 || x.Shape[1] != 8 {
		t.Errorf("tensor %+v", x)
	}
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ args, want string }{
		{"", "--out is missing"},
		{"--out x y", `unexpected argument "y"`},
		{"--out x --shape 7b", `--shape "7b" is not known`},
		{"--out x --dtype i32", `--dtype "i32" is not f32, f16 or bf16`},
		{"--out x --dtype q4", `--dtype "q4" is not f32, f16 or bf16`},
		{"--out x --pool 5", "--pool is for --type memmamba, not mamba"},
		{"--out x --heads 5", "--heads is for --type gpt_neox, not mamba"},
		{"--out x --type gpt_neox --rank 5", "--rank is not for --type gpt_neox"},
		{"--out " + dir + " --type gpt_neox --hidden 30 --heads 4", dir + ": hidden_size 30 is no multiple of num_attention_heads 4"},
		{"--out " + dir + " --type rwkv", dir + `: model_type "rwkv" is not known`},
		{"--out " + dir + " --kernel 0", dir + ": conv_kernel is 0"},
		{"--out " + dir + " --layers 1 --hidden 4 --vocab 9 --tokenizer /absent", "open /absent: no such file or directory"},
	} {
		if err := run(strings.Fields(c.args), io.Discard); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.args, err, c.want)
		}
	}
	if err := run([]string{"-h"}, io.Discard); err != flag.ErrHelp {
		t.Errorf("help: got %v", err)
	}
}
