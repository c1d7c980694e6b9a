package pytorch

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/internal/bounded"
)

// entries are the files of a zip, none of them compressed unless the name ends in "!".
func zipped(t testing.TB, entries ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := 0; i < len(entries); i += 2 {
		h := &zip.FileHeader{Name: strings.TrimSuffix(entries[i], "!"), Method: zip.Store}
		if strings.HasSuffix(entries[i], "!") {
			h.Method = zip.Deflate
		}
		f, err := w.CreateHeader(h)
		if err == nil {
			_, err = f.Write([]byte(entries[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// str is a text in a pickle, and i32 a number.
func str(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}
func i32(n int32) string { return "J" + string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }

func ints(numbers ...int32) string {
	out := "("
	for _, n := range numbers {
		out += i32(n)
	}
	return out + "t"
}

// stored is the id of a storage.
func stored(kind, key string, n int32) string {
	return "(" + str("storage") + "c" + kind + "\n" + str(key) + str("cpu") + i32(n) + "tQ"
}

// made is a tensor of a storage.
func made(storage string, offset int32, shape, stride string) string {
	return "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + i32(offset) + shape + stride + "\x89}tR"
}

const f32 = "torch\nFloatStorage"

// program is a dictionary of names and values.
func program(pairs ...string) string {
	out := "\x80\x02}("
	for i := 0; i < len(pairs); i += 2 {
		out += str(pairs[i]) + pairs[i+1]
	}
	return out + "u."
}

// floats are the bytes of 0, 1, 2, …
func floats(n int) string {
	var out []byte
	for i := range n {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(i)))
	}
	return string(out)
}

func byName(tensors []checkpoint.Tensor) map[string]checkpoint.Tensor {
	all := map[string]checkpoint.Tensor{}
	for _, t := range tensors {
		all[t.Name] = t
	}
	return all
}

// TestViews: tensors of one storage by offset, strides and shape, as parameters or not.
func TestViews(t *testing.T) {
	all := made(stored(f32, "0", 12), 0, ints(3, 4), ints(4, 1))
	data := zipped(t, "x/data.pkl", program(
		"plain", all,
		"transposed", made(stored(f32, "0", 12), 0, ints(4, 3), ints(1, 4)),
		"part", made(stored(f32, "0", 12), 5, ints(2, 2), ints(4, 1)),
		"cube", made(stored(f32, "0", 12), 0, ints(2, 3, 2), ints(2, 4, 1)),
		"same", made(stored(f32, "0", 12), 2, ints(2, 3), ints(0, 0)),
		"one", made(stored(f32, "0", 12), 11, ints(), ints()),
		"none", made(stored(f32, "0", 12), 12, ints(0, 5), ints(5, 1)),
		"parameter", "ctorch._utils\n_rebuild_parameter\n("+all+"\x88}tR",
		"typed", "ctorch._utils\n_rebuild_tensor_v3\n("+stored("torch.storage\nUntypedStorage", "0", 48)+i32(1)+ints(2)+ints(1)+"\x89}ctorch\nfloat32\ntR",
		"plain", all, // which comes again
	), "x/data/0", floats(12), "x/version", "3\n")
	tensors, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	got := byName(tensors)
	for name, want := range map[string][]float32{
		"plain":      {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
		"transposed": {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11},
		"part":       {5, 6, 9, 10},
		"cube":       {0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11},
		"same":       {2, 2, 2, 2, 2, 2},
		"one":        {11},
		"none":       {},
		"parameter":  {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
		"typed":      {1, 2},
	} {
		if have, err := got[name].Float32s(); err != nil || !slices.Equal(have, want) {
			t.Errorf("%s: %v %v, want %v", name, have, err, want)
		}
	}
	if len(tensors) != 9 {
		t.Errorf("%d tensors", len(tensors))
	}
}

// TestBigEndian: the order of bytes is that of the machine which saved them.
func TestBigEndian(t *testing.T) {
	big := []byte(floats(6))
	for i := 0; i < len(big); i += 4 {
		slices.Reverse(big[i : i+4])
	}
	tensors, err := Parse(zipped(t, "x/data.pkl", program("a", made(stored(f32, "0", 6), 1, ints(2, 2), ints(2, 1))), "x/byteorder", "big", "x/data/0", string(big)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tensors[0].Float32s(); err != nil || !slices.Equal(got, []float32{1, 2, 3, 4}) {
		t.Errorf("%v %v", got, err)
	}
}

// TestSaved reads files that Python's pickle made.
func TestSaved(t *testing.T) {
	for file, want := range map[string]struct {
		name  string
		shape []int
	}{"strides.bin": {"backbone.layers.0.mixer.in_proj.weight", []int{64, 16}}, "tied.bin": {"lm_head.weight", []int{40, 32}}} {
		data, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		tensors, err := Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		if got := byName(tensors)[want.name]; !slices.Equal(got.Shape, want.shape) || got.Type != "F32" {
			t.Errorf("%s: %+v", file, got)
		}
	}
}

// TestRefused: what is no dictionary of plain tensors is refused by name.
func TestRefused(t *testing.T) {
	tensor := made(stored(f32, "0", 12), 0, ints(3, 4), ints(4, 1))
	pickled := func(program string) []byte { return zipped(t, "x/data.pkl", program, "x/data/0", floats(12)) }
	old := []byte("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")
	cases := []struct {
		data []byte
		want string
	}{
		{nil, `no zip of PyTorch: its 0 bytes begin with ""`},
		{[]byte("junk!"), `no zip of PyTorch: its 5 bytes begin with "junk"`},
		{old, "a file of PyTorch before 1.6, which is no zip; load it with PyTorch and save it again, or take a copy in safetensors files"},
		{[]byte("PK\x03\x04"), "broken zip, cut short maybe: zip: not a valid zip file"},
		{zipped(t, "x/data/0", "1234"), "a zip without data.pkl: not a file of PyTorch"},
		{zipped(t, "x/data.pkl", "N.", "x/code/__torch__.py", "evil()"), `a program of TorchScript (it has "x/code/__torch__.py"): only files of tensors are read, and nothing is run`},
		{zipped(t, "x/data.pkl", "N.", "x/data.pkl", "N."), `"x/data.pkl" comes twice`},
		{zipped(t, "x/data.pkl!", strings.Repeat("N", 1000)), `"data.pkl" is compressed or encrypted, which PyTorch does not do`},
		{zipped(t, "x/data.pkl", program("a", tensor), "x/byteorder", "middle", "x/data/0", floats(12)), `byteorder: "middle" is neither little nor big`},
		{zipped(t, "x/data.pkl", program("a", tensor)), `tensor "a": "data/0" is missing`},
		{zipped(t, "x/data.pkl", program("a", tensor), "x/data/0", floats(11)), `tensor "a": storage "0" has 44 bytes, too few for 12 numbers of 4`},
		{pickled("cposix\nsystem\n(" + str("id") + "tR."), "data.pkl: at byte 0: it asks for posix.system, which is code: nothing but plain tensors is read, and nothing is run; a copy of the model in safetensors files can be used"},
		{pickled("(" + str("os") + str("system") + "\x93."), "data.pkl: at byte 19: it asks for os.system, which is code: nothing but plain tensors is read, and nothing is run; a copy of the model in safetensors files can be used"},
		{pickled("ctorch._utils\n_rebuild_qtensor\n."), "data.pkl: at byte 0: it asks for torch._utils._rebuild_qtensor: only plain tensors are read, neither sparse nor quantized ones"},
		{pickled("i__main__\nThing\n."), `data.pkl: at byte 0: operation 'i' is none of those that tensors take`},
		{pickled("\x80\x09."), "data.pkl: at byte 0: protocol 9 is not known (0 to 5 are)"},
		{pickled("]."), "data.pkl: a list of 0 where a dictionary of tensors is expected"},
		{pickled("N"), "data.pkl: at byte 1: unexpected EOF"},
		{pickled("NN."), "data.pkl: it ends with 2 values and 0 marks, one value is expected"},
		{pickled("R."), "data.pkl: at byte 0: a value is missing"},
		{pickled("t."), "data.pkl: at byte 0: a mark is missing"},
		{pickled("(N\x85t0."), "data.pkl: it ends with 0 values and 0 marks, one value is expected"},
		{pickled("N(\x85."), "data.pkl: at byte 2: a value is missing"},
		{pickled("h\x07."), "data.pkl: at byte 0: value 7 was not remembered"},
		{pickled("X\xff\xff\xff\xff."), "data.pkl: at byte 0: unexpected EOF"},
		{pickled("}]Ns."), "data.pkl: at byte 3: a list of 0 as a key"},
		{pickled("]}b."), "data.pkl: at byte 2: a list of 0 is given attributes"},
		{pickled(program("step", i32(7))), `data.pkl: a whole number stands under the text "step", where tensors by name are expected`},
		{pickled("}" + i32(1) + tensor + "s."), `data.pkl: a tensor stands under a whole number, where tensors by name are expected`},
		{pickled(program("a", "ctorch\nFloatStorage\n")), `data.pkl: torch.FloatStorage stands under the text "a", where tensors by name are expected`},
		{pickled(program("a", made(stored("torch\nfloat32", "0", 12), 0, ints(1), ints(1)))), "data.pkl: at byte 92: torch.float32 is no type of a storage"},
	}
	for offset, want := range map[string]string{
		i32(1) + ints(3, 4) + ints(4, 1):                   "size [3 4] with strides [4 1] from 1 ends at number 12, storage \"0\" has 12",
		i32(0) + ints(3, 5) + ints(4, 1):                   "size [3 5] with strides [4 1] from 0 ends at number 12, storage \"0\" has 12",
		i32(-1) + ints(3, 4) + ints(4, 1):                  "a whole number where an offset of 0 or more is expected",
		i32(0) + ints(-3, 4) + ints(4, 1):                  "size: a whole number where a whole number of 0 or more is expected",
		i32(0) + ints(3, 4) + ints(4, -1):                  "strides: a whole number where a whole number of 0 or more is expected",
		i32(0) + ints(3, 4) + ints(1):                      "size [3 4] and strides [1] differ in length",
		i32(0) + ints(1<<30, 1<<30, 1<<30) + ints(0, 0, 0): "size [1073741824 1073741824 1073741824] with strides [0 0 0] overflows",
		i32(0) + str("a") + ints(1):                        "size: the text \"a\" where whole numbers are expected",
	} {
		cases = append(cases, struct {
			data []byte
			want string
		}{pickled(program("a", "ctorch._utils\n_rebuild_tensor_v2\n("+stored(f32, "0", 12)+offset+"\x89}tR")), fmt.Sprintf("data.pkl: at byte %d: torch._utils._rebuild_tensor_v2: %s", 107+len(offset)-6, want)})
	}
	for _, c := range cases {
		if _, err := Parse(c.data); err == nil || err.Error() != c.want {
			t.Errorf("\n got %v\nwant %s", err, c.want)
		}
	}
}

// TestBounds: a short program cannot make much, however it is written.
func TestBounds(t *testing.T) {
	for _, c := range []struct{ program, want string }{
		{strings.Repeat("]", maxDepth+1), "more than 131072 values wait for others"},
		{strings.Repeat("(", maxDepth+1), "more than 131072 marks"},
		{strings.Repeat("N0", maxValues+1), "more than 2097152 values"},
	} {
		if _, err := unpickle([]byte(c.program)); err == nil || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// FuzzPickle holds every program to the bounds of what it made: no tensor lies outside its storage.
func FuzzPickle(f *testing.F) {
	for _, file := range []string{"strides.bin", "tied.bin"} {
		data, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			f.Fatal(err)
		}
		a, err := openArchive(data)
		if err != nil {
			f.Fatal(err)
		}
		pickle, err := a.entry("data.pkl")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.Clone(pickle))
	}
	f.Add([]byte(program("a", made(stored(f32, "0", 12), 1, ints(2, 2), ints(4, 1)))))
	f.Add([]byte("\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94\x8a\x01\x05s."))
	f.Fuzz(func(t *testing.T, data []byte) {
		var value any
		var err error
		bounded.Run(t, len(data), func() { value, err = unpickle(data) })
		if err != nil {
			return
		}
		d, ok := value.(*dict)
		if !ok {
			return
		}
		for _, key := range d.keys {
			v, ok := d.values[key].(*view)
			if !ok || v.storage.numbers > 1<<16 {
				continue
			}
			tensor := v.tensor("a", make([]byte, v.storage.numbers*int64(v.storage.element.size)), len(data)%2 == 0)
			rows, _ := tensor.Grid()
			for i := range min(rows, 8) {
				for _, row := range []int{i, rows - 1 - i} {
					if _, cols := tensor.Grid(); cols < 1<<16 {
						if _, err := tensor.Row(row, nil); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		}
	})
}

// FuzzArchive reads whole files.
func FuzzArchive(f *testing.F) {
	f.Add(zipped(f, "x/data.pkl", program("a", made(stored(f32, "0", 4), 1, ints(1, 2), ints(4, 1))), "x/data/0", floats(4), "x/byteorder", "little"))
	f.Add(zipped(f, "x/data.pkl", "N.", "x/code/a", ""))
	f.Fuzz(func(t *testing.T, data []byte) {
		var tensors []checkpoint.Tensor
		var err error
		bounded.Run(t, len(data), func() { tensors, err = Parse(data) })
		if err != nil {
			return
		}
		for _, tensor := range tensors {
			rows, cols := tensor.Grid()
			if rows > 0 && cols < 1<<16 {
				if _, err := tensor.Row(rows-1, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// TestRepeated: a file of a few bytes whose strides repeat a number, or whose tensors share a storage, stands for no more than
// some times its size.
func TestRepeated(t *testing.T) {
	huge := made(stored(f32, "0", 12), 0, ints(1<<20, 1<<10), ints(0, 0))
	if _, err := Parse(zipped(t, "x/data.pkl", program("a", huge), "x/data/0", floats(12))); err == nil || !strings.Contains(err.Error(), `tensor "a": with it the tensors are more than 16 times as large`) {
		t.Errorf("%v", err)
	}
	var pairs []string
	for i := range 2000 {
		pairs = append(pairs, fmt.Sprint(i), made(stored(f32, "0", 40_000), 0, ints(200, 200), ints(200, 1)))
	}
	if _, err := Parse(zipped(t, "x/data.pkl", program(pairs...), "x/data/0", floats(40_000))); err == nil {
		t.Error("2000 tensors are in one storage")
	}
}
