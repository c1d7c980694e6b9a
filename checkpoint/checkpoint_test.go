package checkpoint_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/checkpoint/safetensors"
)

// note is a kind of file for these tests: a file "*.note", which is its own config.
type note struct{ checkpoint.Place }

func (n note) Name() string                          { return n.Place.Name }
func (n note) Path(string) string                    { return n.Place.Name }
func (n note) Config() ([]byte, error)               { return os.ReadFile(n.Place.Path) }
func (n note) File(string) ([]byte, error)           { return nil, fs.ErrNotExist }
func (n note) Others() ([]string, error)             { return nil, nil }
func (n note) Tensors() (*checkpoint.Tensors, error) { return checkpoint.NewTensors(nil) }
func (n note) Close() error                          { return nil }

var noteKind = checkpoint.Kind{
	Name: "note", Is: "a note",
	Holds: func(p checkpoint.Place) checkpoint.Share {
		if strings.HasSuffix(p.Path, ".note") {
			return checkpoint.Weights
		}
		return checkpoint.Nothing
	},
	Open: func(p checkpoint.Place) (checkpoint.Source, error) { return note{p}, nil },
}

func init() { checkpoint.Register(noteKind) }

// modelDir is a directory with a model in the given number of bytes a shard, 0 for one file.
func modelDir(t *testing.T, shard int64) string {
	t.Helper()
	dir := t.TempDir()
	err := safetensors.CreateModel(dir, nil, []safetensors.Out{
		safetensors.OfFloat32("a", safetensors.F32, []int{2, 3}, []float32{1, 2, 3, 4, 5, 6}),
		safetensors.OfFloat32("b", safetensors.F16, []int{2}, []float32{7, 8}),
		safetensors.OfInt32("ids", []int{2}, []int32{9, 10}),
	}, shard)
	for name, text := range map[string]string{"config.json": `{"x": 1}`, "tokenizer.json": "words"} {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestSources opens one model whole and in shards, by its path and in a file system.
func TestSources(t *testing.T) {
	for _, shard := range []int64{0, 20} {
		dir := modelDir(t, shard)
		mapped, err := checkpoint.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		read, err := checkpoint.OpenFS("embedded", os.DirFS(dir))
		if err != nil {
			t.Fatal(err)
		}
		for name, src := range map[string]checkpoint.Source{dir: mapped, "embedded": read} {
			checkSource(t, name, src)
		}
	}
}

func checkSource(t *testing.T, name string, src checkpoint.Source) {
	t.Helper()
	if src.Name() != name || src.Path("config.json") != name+"/config.json" {
		t.Errorf("called %q, its config %q", src.Name(), src.Path("config.json"))
	}
	if data, err := src.Config(); err != nil || string(data) != `{"x": 1}` {
		t.Errorf("config %s, %v", data, err)
	}
	if data, err := src.File("tokenizer.json"); err != nil || string(data) != "words" {
		t.Errorf("tokenizer %s, %v", data, err)
	}
	if _, err := src.File("absent"); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), name+"/absent: ") {
		t.Errorf("absent file: %v", err)
	}
	tensors, err := src.Tensors()
	if err != nil {
		t.Fatal(err)
	}
	if names := tensors.Names(); !slices.Equal(names, []string{"a", "b", "ids"}) || tensors.Quantized() != nil {
		t.Errorf("tensors %v, quantized %v", names, tensors.Quantized())
	}
	a, ok := tensors.Tensor("a")
	if numbers, err := a.Float32s(); !ok || err != nil || !slices.Equal(numbers, []float32{1, 2, 3, 4, 5, 6}) || a.Size != 24 || a.Type != "F32" {
		t.Errorf("%v of %+v, %v", numbers, a, err)
	}
	ids, ok := tensors.Tensor("ids")
	if row, err := ids.Row(0, nil); !ok || err != nil || !slices.Equal(row, []byte{9, 0, 0, 0, 10, 0, 0, 0}) || ids.Format != nil || ids.Type != "I32" {
		t.Errorf("% x of %+v, %v", row, ids, err)
	}
	if _, err := ids.Float32s(); err == nil || err.Error() != "tensor ids: type I32 is none of weights" {
		t.Errorf("%v", err)
	}
	if _, ok := tensors.Tensor("c"); ok {
		t.Error("found a tensor that is not there")
	}
	if others, err := src.Others(); err != nil || !slices.Equal(others, []string{"tokenizer.json"}) {
		t.Errorf("others %v, %v", others, err)
	}
	if again, err := src.Tensors(); again != tensors || err != nil {
		t.Errorf("the weights are read twice: %v", err)
	}
	if err := errors.Join(src.Close(), src.Close()); err != nil {
		t.Error(err)
	}
	if _, err := src.Tensors(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("tensors of a closed source: %v", err)
	}
}

// TestKinds: a place is opened by the kind that it is of.
func TestKinds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.note")
	if err := os.WriteFile(path, []byte("text"), 0o666); err != nil {
		t.Fatal(err)
	}
	src, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := src.Config(); err != nil || string(data) != "text" || src.Name() != path {
		t.Errorf("%q of %s, %v", data, src.Name(), err)
	}
	defer func() {
		if recover() == nil {
			t.Error("two kinds of one name were registered")
		}
	}()
	checkpoint.Register(noteKind)
}

// TestOpenRefuses: where there is no model, it is said what one is.
func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x.txt")
	if err := os.WriteFile(file, []byte("text"), 0o666); err != nil {
		t.Fatal(err)
	}
	const no = ": there is no model, which is "
	for _, path := range []string{dir, file} {
		_, err := checkpoint.Open(path)
		if err == nil || !strings.HasPrefix(err.Error(), path+no) || !strings.Contains(err.Error(), "a note") ||
			!strings.Contains(err.Error(), "a directory with config.json and model.safetensors or model.safetensors.index.json") {
			t.Errorf("%v", err)
		}
	}
	if _, err := checkpoint.OpenFS("embedded", fstest.MapFS{}); err == nil || !strings.HasPrefix(err.Error(), "embedded"+no) {
		t.Errorf("%v", err)
	}
	absent := filepath.Join(dir, "absent")
	if _, err := checkpoint.Open(absent); !errors.Is(err, fs.ErrNotExist) || err.Error() != absent+": no such file or directory" {
		t.Errorf("%v", err)
	}
}

// TestParts: what is wrong with a part of a model is told when it is asked for, and the others can be read.
func TestParts(t *testing.T) {
	dir := modelDir(t, 0)
	for _, name := range []string{"config.json", "model.safetensors"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if name == "config.json" { // the weights are enough to be a model
			src, err := checkpoint.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := src.Config(); !errors.Is(err, fs.ErrNotExist) || err.Error() != dir+"/config.json: no such file or directory" {
				t.Errorf("%v", err)
			}
			if _, err := src.Tensors(); err != nil {
				t.Error(err)
			}
			src.Close()
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{}`), 0o666); err != nil {
		t.Fatal(err)
	}
	src, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if _, err := src.File("tokenizer.json"); err != nil {
		t.Error(err)
	}
	if _, err := src.Tensors(); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), dir+": neither model.safetensors nor ") {
		t.Errorf("%v", err)
	}
}

// TestReadFile: a file may be as large as the limit says and no larger, and is named.
func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"large", "small"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("text"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(filepath.Join(dir, "large"), checkpoint.MaxFile+1); err != nil { // a hole
		t.Fatal(err)
	}
	fsys := os.DirFS(dir)
	if _, err := checkpoint.ReadFile(fsys, "large", "m/large"); err == nil || err.Error() != "m/large: above the limit of 268435456 bytes" {
		t.Errorf("%v", err)
	}
	if data, err := checkpoint.ReadFile(fsys, "small", "m/small"); err != nil || string(data) != "text" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := checkpoint.ReadFile(fsys, ".", "m"); err == nil || !strings.HasPrefix(err.Error(), "m: ") {
		t.Errorf("%v", err)
	}
}
