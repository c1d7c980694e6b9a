package safetensors

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/quant"
)

// raw assembles a file of a header and n bytes of data.
func raw(header string, n int) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	out = append(out, header...)
	for i := range n {
		out = append(out, byte(i))
	}
	return out
}

// one is a header of the tensor "a" alone.
func one(dtype, shape, offsets string) string {
	return `{"a":{"dtype":"` + dtype + `","shape":` + shape + `,"data_offsets":` + offsets + `}}`
}

func TestParse(t *testing.T) {
	header := `{"__metadata__":{"format":"pt","é":"\n"},
		"b":{"data_offsets":[8,14],"shape":[3,1],"dtype":"F16"},
		"none":{"dtype":"I64","shape":[4,0],"data_offsets":[8,8]},
		"a":{"dtype":"I32","shape":[2],"data_offsets":[0,8]},
		"one":{"dtype":"BOOL","shape":[],"data_offsets":[14,15]}}   `
	f, err := Parse("file", raw(header, 15))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.Names(), []string{"a", "b", "none", "one"}; !slices.Equal(got, want) {
		t.Errorf("names %v, want %v", got, want)
	}
	if m := f.Metadata(); len(m) != 2 || m["format"] != "pt" || m["é"] != "\n" {
		t.Errorf("metadata %v", m)
	}
	for _, c := range []struct {
		name  string
		dtype DType
		shape []int
		n     int
		first int
	}{{"a", I32, []int{2}, 2, 0}, {"b", F16, []int{3, 1}, 3, 8}, {"none", I64, []int{4, 0}, 0, -1}, {"one", Bool, nil, 1, 14}} {
		got, ok := f.Tensor(c.name)
		if !ok || got.Name != c.name || got.File != "file" || got.DType != c.dtype || !slices.Equal(got.Shape, c.shape) ||
			got.Len() != c.n || len(got.Data) != c.n*c.dtype.Size() {
			t.Errorf("%s: got %+v", c.name, got)
		}
		if c.first >= 0 && got.Data[0] != byte(c.first) {
			t.Errorf("%s: starts at byte %d, want %d", c.name, got.Data[0], c.first)
		}
	}
	if _, ok := f.Tensor("c"); ok {
		t.Error("found a tensor that is not there")
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

var broken = []struct {
	name string
	data []byte
	want string // the whole error, after "bad.safetensors: "
}{
	{"empty", nil, "0 bytes are too few for a safetensors file: unexpected EOF"},
	{"short length", make([]byte, 7), "7 bytes are too few for a safetensors file: unexpected EOF"},
	{"length only", append([]byte{2}, make([]byte, 7)...), "header length 2 is beyond the file's 8 bytes: unexpected EOF"},
	{"no header", make([]byte, 8), "header does not start with {"},
	{"huge length", slices.Repeat([]byte{0xff}, 64), "header length 18446744073709551615 is above the limit of 100000000: not a safetensors file?"},
	{"length above the limit", append(binary.LittleEndian.AppendUint64(nil, 100_000_001), '{'), "header length 100000001 is above the limit of 100000000: not a safetensors file?"},
	{"length beyond the file", raw(one("U8", "[1]", "[0,1]"), 0)[:60], "header length 53 is beyond the file's 60 bytes: unexpected EOF"},
	{"leading space", raw(" {}", 0), "header does not start with {"},
	{"array", raw("[]", 0), "header does not start with {"},
	{"not UTF-8", raw("{\"\xff\":1}", 0), "header is not UTF-8"},
	{"unclosed", raw(`{`, 0), "header: broken JSON at byte 1: unexpected EOF"},
	{"cut", raw(one("U8", "[1]", "[0,1]")[:52], 1), "header: broken JSON at byte 52: unexpected EOF"},
	{"broken JSON", raw(`{"a" 1}`, 0), `header: tensor "a": broken JSON at byte 5: invalid character '1' after object key`},
	{"text after", raw(`{}{}`, 0), "header: text follows the JSON object"},
	{"garbage after", raw("{}\x00", 0), "header: text follows the JSON object"},
	{"duplicate tensor", raw(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, 0), `header: key "a" comes twice`},
	{"duplicate field", raw(`{"a":{"dtype":"U8","dtype":"U8"}}`, 0), `header: tensor "a": key "dtype" comes twice`},
	{"duplicate metadata", raw(`{"__metadata__":{"x":"1","x":"2"}}`, 0), `header: key "x" comes twice`},
	{"metadata number", raw(`{"__metadata__":{"x":1}}`, 0), `header: __metadata__: "x": expected a string, found 1`},
	{"metadata list", raw(`{"__metadata__":[]}`, 0), `header: expected {, found [`},
	{"entry number", raw(`{"a":7}`, 0), `header: tensor "a": expected {, found 7`},
	{"entry null", raw(`{"a":null}`, 0), `header: tensor "a": expected {, found null`},
	{"unknown field alone", raw(`{"a":{"size":1}}`, 0), `header: tensor "a": dtype is missing`},
	{"unknown dtype beyond the file", raw(one("F4", "[1]", "[0,1]"), 0), `tensor "a": data_offsets [0 1] end beyond the file's 0 bytes of data: unexpected EOF`},
	{"unknown dtype of a shape that overflows", raw(one("F4", "[4294967296,4294967296]", "[0,1]"), 1), `header: tensor "a": shape [4294967296 4294967296] overflows`},
	{"dtype number", raw(`{"a":{"dtype":32}}`, 0), `header: tensor "a": dtype: expected a string, found 32`},
	{"no dtype", raw(`{"a":{"shape":[1],"data_offsets":[0,1]}}`, 1), `header: tensor "a": dtype is missing`},
	{"no shape", raw(`{"a":{"dtype":"U8","data_offsets":[0,1]}}`, 1), `header: tensor "a": shape is missing`},
	{"no offsets", raw(`{"a":{"dtype":"U8","shape":[1]}}`, 1), `header: tensor "a": data_offsets is missing`},
	{"one offset", raw(one("U8", "[1]", "[1]"), 1), `header: tensor "a": data_offsets has 1 numbers instead of 2`},
	{"three offsets", raw(one("U8", "[1]", "[0,1,2]"), 1), `header: tensor "a": data_offsets has 3 numbers instead of 2`},
	{"offset text", raw(one("U8", "[1]", `[0,"1"]`), 1), `header: tensor "a": data_offsets: expected a number, found "1"`},
	{"shape no array", raw(one("U8", "1", "[0,1]"), 1), `header: tensor "a": shape: expected [, found 1`},
	{"negative shape", raw(one("U8", "[-1]", "[0,1]"), 1), `header: tensor "a": shape: -1 is negative, too large or not whole`},
	{"fractional shape", raw(one("U8", "[1.0]", "[0,1]"), 1), `header: tensor "a": shape: 1.0 is negative, too large or not whole`},
	{"shape beyond int", raw(one("U8", "[9223372036854775808]", "[0,1]"), 1), `header: tensor "a": shape: 9223372036854775808 is negative, too large or not whole`},
	{"shape overflows", raw(one("U8", "[4294967296,4294967296]", "[0,0]"), 0), `header: tensor "a": shape [4294967296 4294967296] of U8 overflows`},
	{"shape overflows by dtype", raw(one("F32", "[4611686018427387904]", "[0,0]"), 0), `header: tensor "a": shape [4611686018427387904] of F32 overflows`},
	{"backwards", raw(one("U8", "[1]", "[1,0]"), 1), `header: tensor "a": data_offsets [1 0] run backwards`},
	{"shape above offsets", raw(one("F32", "[2]", "[0,4]"), 4), `header: tensor "a": shape [2] of F32 is 8 bytes, data_offsets [0 4] are 4`},
	{"shape below offsets", raw(one("F32", "[]", "[0,8]"), 8), `header: tensor "a": shape [] of F32 is 4 bytes, data_offsets [0 8] are 8`},
	{"truncated", raw(one("F32", "[2]", "[0,8]"), 7), `tensor "a": data_offsets [0 8] end beyond the file's 7 bytes of data: unexpected EOF`},
	{"outside", raw(one("U8", "[1]", "[9,10]"), 4), `tensor "a": data_offsets [9 10] end beyond the file's 4 bytes of data: unexpected EOF`},
	{"trailing bytes", raw(one("U8", "[1]", "[0,1]"), 3), `2 bytes of data follow the last tensor, which ends at 1`},
	{"no tensors but data", raw(`{}`, 3), `3 bytes of data follow the last tensor, which ends at 0`},
	{"hole at the front", raw(one("U8", "[1]", "[1,2]"), 2), `tensor "a": data_offsets [1 2] leave a hole from 0`},
	{"hole", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, 3), `tensor "b": data_offsets [2 3] leave a hole from 1`},
	{"overlap", raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3), `tensor "b": data_offsets [1 3] overlap tensor "a", which ends at 2`},
	{"same place", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1), `tensor "b": data_offsets [0 1] overlap tensor "a", which ends at 1`},
}

// TestUnknown: a type and a field that are not known hinder nobody who does not ask for the tensor.
func TestUnknown(t *testing.T) {
	f, err := Parse("file", raw(`{"a":{"dtype":"U8","shape":[2],"checksum":[1,{"x":null}],"data_offsets":[0,2]},"b":{"dtype":"F6_E2M3","shape":[1000,4],"data_offsets":[2,5]}}`, 5))
	if err != nil {
		t.Fatal(err)
	}
	a, _ := f.Tensor("a")
	b, ok := f.Tensor("b")
	if a.DType != U8 || len(a.Data) != 2 || !ok || b.Type() != "F6_E2M3" || len(b.Data) != 3 {
		t.Errorf("%+v, %+v", a, b)
	}
	if _, err := b.Float32s(); err == nil || err.Error() != `file: tensor "b": dtype F6_E2M3 is not a float type` {
		t.Errorf("got %v", err)
	}
	total, whole := 0, plain(b)
	for i := range 1000 {
		row, err := whole.Row(i, nil)
		if err != nil {
			t.Fatal(err)
		}
		total += len(row)
	}
	if total != 3 || whole.Type != "F6_E2M3" || whole.Format != nil {
		t.Errorf("rows of %d bytes, %+v", total, whole)
	}
}

func TestParseBroken(t *testing.T) {
	for _, c := range broken {
		_, err := Parse("bad.safetensors", c.data)
		if err == nil {
			t.Errorf("%s: no error", c.name)
		} else if got, want := err.Error(), "bad.safetensors: "+c.want; got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, want)
		}
	}
}

func TestErrorsStayShort(t *testing.T) {
	long := strings.Repeat("n\\n", 10000)
	for _, header := range []string{
		`{"` + long + `":{"dtype":"` + long + `"}}`,
		`{"a":{"dtype":"U8","shape":[` + strings.Repeat("1,", 10000) + `1],"data_offsets":[0,2]}}`,
		`{"a":{"dtype":"U8","shape":[` + strings.Repeat("1", 10000) + `]}}`,
	} {
		_, err := Parse("bad", raw(header, 0))
		if err == nil || len(err.Error()) > 600 || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %.700s", err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, want string }{
		{dir, dir + ": not a regular file"},
		{empty, empty + ": 0 bytes are too few for a safetensors file: unexpected EOF"},
	} {
		if _, err := Open(c.path); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	if _, err := Open(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) || !strings.HasSuffix(err.Error(), "absent: no such file or directory") {
		t.Errorf("absent file: got %v", err)
	}
	for _, c := range broken {
		if err := os.WriteFile(empty, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(empty); err == nil || err.Error() != empty+": "+c.want {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

func TestFloat32s(t *testing.T) {
	le := binary.LittleEndian
	want := []float32{1.5, -0.25, 0, float32(math.Inf(-1))}
	data := map[DType][]byte{}
	for _, v := range want {
		data[F32] = le.AppendUint32(data[F32], math.Float32bits(v))
		data[F64] = le.AppendUint64(data[F64], math.Float64bits(float64(v)))
		data[F16] = le.AppendUint16(data[F16], quant.Float32ToF16(v))
		data[BF16] = le.AppendUint16(data[BF16], quant.Float32ToBF16(v))
	}
	for d, bytes := range data {
		got, err := Tensor{File: "f", Name: "x", DType: d, Shape: []int{2, 2}, Data: bytes}.Float32s()
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v %v, want %v", d, got, err, want)
		}
	}
	_, err := Tensor{File: "f", Name: "x", DType: I32, Shape: []int{1}, Data: make([]byte, 4)}.Float32s()
	if err == nil || err.Error() != `f: tensor "x": dtype I32 is not a float type` {
		t.Errorf("I32: got %v", err)
	}
	_, err = Tensor{File: "f", Name: "x", DType: F16, Shape: []int{2}, Data: make([]byte, 3)}.Float32s()
	if err == nil || err.Error() != `f: tensor "x": 3 bytes are not 2 elements of F16` {
		t.Errorf("short: got %v", err)
	}
}

func TestInt32s(t *testing.T) {
	le := binary.LittleEndian
	want := []int32{7, -1, math.MaxInt32, math.MinInt32}
	var narrow, wide []byte
	for _, v := range want {
		narrow = le.AppendUint32(narrow, uint32(v))
		wide = le.AppendUint64(wide, uint64(int64(v)))
	}
	for d, bytes := range map[DType][]byte{I32: narrow, I64: wide} {
		got, err := Tensor{DType: d, Shape: []int{4}, Data: bytes}.Int32s()
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v %v, want %v", d, got, err, want)
		}
	}
	wide = le.AppendUint64(wide, 1<<31)
	_, err := Tensor{File: "f", Name: "x", DType: I64, Shape: []int{5}, Data: wide}.Int32s()
	if err == nil || err.Error() != `f: tensor "x": element 4 is 2147483648, outside int32` {
		t.Errorf("out of range: got %v", err)
	}
	_, err = Tensor{File: "f", Name: "x", DType: F32, Shape: []int{0}}.Int32s()
	if err == nil || err.Error() != `f: tensor "x": dtype F32 is neither I32 nor I64` {
		t.Errorf("F32: got %v", err)
	}
}
