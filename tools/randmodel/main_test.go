package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/internal/refmodel"
	"github.com/mmrun/mmrun/internal/safetensors"
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

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ args, want string }{
		{"", "--out is missing"},
		{"--out x y", `unexpected argument "y"`},
		{"--out x --shape 7b", `--shape "7b" is not known`},
		{"--out x --dtype i32", `--dtype "i32" is not f32, f16 or bf16`},
		{"--out x --dtype q4", `--dtype "q4" is not f32, f16 or bf16`},
		{"--out x --pool 5", "--pool is for --type memmamba, not mamba"},
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
