package safetensors

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

func TestCreateAndOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	wide := make([]float32, 40000) // more than one block of OfFloat32
	for i := range wide {
		wide[i] = float32(i) / 8
	}
	outs := []Out{
		OfFloat32("half", F16, []int{3}, []float32{1, -2, 0.5}),
		OfBytes("odd", U8, []int{5}, []byte("hello")),
		OfFloat32("wide", F32, []int{200, 200}, wide),
		OfInt32("ids <&>", []int{2}, []int32{-1, math.MaxInt32}),
		OfFloat32("none", BF16, []int{0, 7}, nil),
	}
	if err := Create(path, map[string]string{"format": "pt"}, outs); err != nil {
		t.Fatal(err)
	}
	if err := Create(path, map[string]string{"format": "pt"}, outs); err != nil {
		t.Fatalf("replacing: %v", err)
	}
	if got := names(t, filepath.Dir(path)); !slices.Equal(got, []string{"x.safetensors"}) {
		t.Errorf("files %v", got)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := f.Names(); !slices.Equal(got, []string{"half", "ids <&>", "none", "odd", "wide"}) {
		t.Errorf("names %v", got)
	}
	x, _ := f.Tensor("wide")
	if got, err := x.Float32s(); err != nil || !slices.Equal(got, wide) || !slices.Equal(x.Shape, []int{200, 200}) {
		t.Errorf("wide: shape %v, error %v", x.Shape, err)
	}
	x, _ = f.Tensor("half")
	if got, err := x.Float32s(); err != nil || !slices.Equal(got, []float32{1, -2, 0.5}) {
		t.Errorf("half: %v %v", got, err)
	}
	x, _ = f.Tensor("ids <&>")
	if got, err := x.Int32s(); err != nil || !slices.Equal(got, []int32{-1, math.MaxInt32}) {
		t.Errorf("ids: %v %v", got, err)
	}
	if f.Metadata()["format"] != "pt" {
		t.Errorf("metadata %v", f.Metadata())
	}
	if err := errors.Join(f.Close(), f.Close()); err != nil {
		t.Errorf("closing: %v", err)
	}
}

func TestCreateErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	fail := Out{Name: "f", DType: U8, Shape: []int{1}, Write: func(io.Writer) error { return errors.New("no luck") }}
	for _, c := range []struct {
		want string
		outs []Out
	}{
		{`tensor "a": wrote 1 bytes, shape [2] of U8 is 2`, []Out{OfBytes("a", U8, []int{2}, []byte{1})}},
		{`tensor "a": 1 bytes more than its shape holds`, []Out{OfBytes("a", U8, []int{2}, []byte{1, 2, 3})}},
		{`tensor "f": no luck`, []Out{fail}},
		{`tensor "a" comes twice`, []Out{OfBytes("a", U8, nil, []byte{1}), OfBytes("a", F32, nil, make([]byte, 4))}},
		{`"__metadata__" cannot name a tensor`, []Out{OfBytes("__metadata__", U8, []int{0}, nil)}},
		{`"\xff" cannot name a tensor`, []Out{OfBytes("\xff", U8, []int{0}, nil)}},
		{`tensor "a": shape [-1] is negative`, []Out{OfBytes("a", U8, []int{-1}, nil)}},
		{`tensor "a": shape [9223372036854775807] of F32 overflows`, []Out{OfBytes("a", F32, []int{math.MaxInt}, nil)}},
		{`tensor "b": the total size overflows`, []Out{OfBytes("a", U8, []int{math.MaxInt}, nil), OfBytes("b", U8, []int{math.MaxInt}, nil)}},
		{`tensor "a": DType(99) is no dtype`, []Out{OfBytes("a", 99, []int{0}, nil)}},
		{`tensor "a": float32 is not written as dtype I32`, []Out{OfFloat32("a", I32, []int{1}, []float32{1})}},
	} {
		err := Create(path, nil, c.outs)
		if err == nil || err.Error() != path+": "+c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	if got := names(t, filepath.Dir(path)); len(got) != 0 {
		t.Errorf("files are left: %v", got)
	}
	if err := Create(filepath.Join(path, "y"), nil, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent folder: got %v", err)
	}
}

func abc() []Out {
	return []Out{
		OfFloat32("a", F32, []int{2}, []float32{1, 2}),
		OfFloat32("b", F32, []int{3}, []float32{3, 4, 5}),
		OfFloat32("c", F16, []int{1}, []float32{6}),
	}
}

func TestModel(t *testing.T) {
	for _, c := range []struct {
		limit int64
		files []string
	}{
		{0, []string{"model.safetensors"}},
		{22, []string{"model.safetensors"}},
		{20, []string{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"}},
		{1, []string{"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors", "model.safetensors.index.json"}},
	} {
		dir := t.TempDir()
		if err := CreateModel(dir, nil, abc(), c.limit); err != nil {
			t.Fatal(err)
		}
		if got := names(t, dir); !slices.Equal(got, c.files) {
			t.Errorf("limit %d: files %v, want %v", c.limit, got, c.files)
		}
		mapped, err := OpenModel(dir)
		if err != nil {
			t.Fatal(err)
		}
		read, err := OpenModelFS("embedded", os.DirFS(dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []*Model{mapped, read} {
			if got := m.Names(); !slices.Equal(got, []string{"a", "b", "c"}) {
				t.Errorf("limit %d: names %v", c.limit, got)
			}
			b, _ := m.Tensor("b")
			if got, err := b.Float32s(); err != nil || !slices.Equal(got, []float32{3, 4, 5}) {
				t.Errorf("limit %d: b is %v, error %v", c.limit, got, err)
			}
			if err := errors.Join(m.Close(), m.Close()); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestCreateModelErrors(t *testing.T) {
	dir := t.TempDir()
	twice := append(abc(), OfFloat32("a", F32, []int{1}, []float32{1}))
	if err := CreateModel(dir, nil, twice, 8); err == nil || !strings.HasSuffix(err.Error(),
		`tensor "a" comes twice, in model-00001-of-00003.safetensors and model-00003-of-00003.safetensors`) {
		t.Errorf("got %v", err)
	}
	if err := CreateModel(dir, nil, abc(), 0); err != nil {
		t.Fatal(err)
	}
	if err := CreateModel(dir, nil, abc(), 8); err == nil ||
		err.Error() != dir+": model.safetensors is already there and would hide the shards" {
		t.Errorf("got %v", err)
	}
}

// TestIndexAndShards: a shard may have what the index does not list, which may list what no shard has; of two tensors
// of a name the one counts that the index says.
func TestIndexAndShards(t *testing.T) {
	shard := func(first byte, names ...string) *fstest.MapFile {
		header, at := "{", 0
		for _, name := range names {
			header += fmt.Sprintf(`"%s":{"dtype":"U8","shape":[1],"data_offsets":[%d,%d]},`, name, at, at+1)
			at++
		}
		data := raw(strings.TrimSuffix(header, ",")+"}", at)
		data[len(data)-at] = first
		return &fstest.MapFile{Data: data}
	}
	m, err := OpenModelFS("m", fstest.MapFS{
		"model.safetensors.index.json": {Data: []byte(`{"weight_map":{"a":"2","b":"1","tied":"1"}}`)},
		"1":                            shard(11, "a", "b", "extra"),
		"2":                            shard(22, "a", "extra"),
	})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := m.Tensor("a")
	extra, _ := m.Tensor("extra")
	if got := m.Names(); !slices.Equal(got, []string{"a", "b", "extra"}) || a.Data[0] != 22 || extra.File != "m/1" {
		t.Errorf("%v, %v, %v", got, a, extra)
	}
}

func TestOpenModelErrors(t *testing.T) {
	shard := raw(one("U8", "[1]", "[0,1]"), 1)
	index := func(text string) fstest.MapFS {
		return fstest.MapFS{"model.safetensors.index.json": {Data: []byte(text)}, "s": {Data: shard}, "sub/s": {Data: shard}}
	}
	const at = "m/model.safetensors.index.json: "
	for _, c := range []struct {
		want string
		fs   fstest.MapFS
	}{
		{"m: neither model.safetensors nor model.safetensors.index.json: file does not exist", fstest.MapFS{}},
		{"m/model.safetensors: header does not start with {", fstest.MapFS{"model.safetensors": {Data: make([]byte, 8)}}},
		{at + "weight_map is missing or empty", index(`{}`)},
		{at + "weight_map is missing or empty", index(`{"weight_map":{}}`)},
		{at + "broken JSON at byte 1: unexpected end of JSON input", index(`{`)},
		{at + "not UTF-8", index("\xff")},
		{at + "broken JSON at byte 4: invalid character 'x' after top-level value", index(`{} x`)},
		{at + `weight_map: array where an object of file names is expected`, index(`{"weight_map":[]}`)},
		{at + `weight_map: number where an object of file names is expected`, index(`{"metadata":{"total_size":1},"weight_map":{"a":1}}`)},
		{at + `weight_map: "a": "../s" is not a plain file name`, index(`{"weight_map":{"a":"../s"}}`)},
		{at + `weight_map: "a": "/s" is not a plain file name`, index(`{"weight_map":{"a":"/s"}}`)},
		{at + `weight_map: "a": "sub/s" is not a plain file name`, index(`{"weight_map":{"a":"sub/s"}}`)},
		{at + `weight_map: "a": "sub\\s" is not a plain file name`, index(`{"weight_map":{"a":"sub\\s"}}`)},
		{at + `weight_map: "a": "" is not a plain file name`, index(`{"weight_map":{"a":""}}`)},
		{"m/t: file does not exist", index(`{"weight_map":{"a":"t"}}`)},
	} {
		_, err := OpenModelFS("m", c.fs)
		if err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	dir := t.TempDir()
	if _, err := OpenModel(dir); err == nil || !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), dir+": neither ") {
		t.Errorf("got %v", err)
	}
}
