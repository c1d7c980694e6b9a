package gguf

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// array is the kind, the kind of entries and the number of entries of an array.
func array(elem uint32, n uint64) odd {
	b := binary.LittleEndian.AppendUint32([]byte{byte(kindArray), 0, 0, 0}, elem)
	return binary.LittleEndian.AppendUint64(b, n)
}

// one is a file of one tensor.
func one(typ dtype, dims ...uint64) []byte {
	return build(nil, []spec{{name: "t", typ: typ, dims: dims, data: make([]byte, 64)}})
}

// with is a file with a metadata value.
func with(v any) []byte { return build([]Entry{{"k", v}}, nil) }

// changed is a file with other bytes from a place on.
func changed(data []byte, at int, other ...byte) []byte {
	data = slices.Clone(data)
	copy(data[at:], other)
	return data
}

// broken are files that are refused, and why.
var broken = []struct {
	want string
	data []byte
}{
	{"4 bytes from byte 0 are beyond the file's 0: unexpected EOF", nil},
	{`not a GGUF file: it begins with "GGML"`, []byte("GGML and more")},
	{"a big-endian GGUF file; only little-endian ones are read", changed(with(uint32(1)), 4, 0, 0, 0, 3)},
	{"version 1 of the GGUF format is not supported (2 and 3 are)", changed(with(uint32(1)), 4, 1)},
	{"version 4 of the GGUF format is not supported (2 and 3 are)", changed(with(uint32(1)), 4, 4)},
	{"72057594037927936 tensors do not fit into a file of 64 bytes", changed(with(uint32(1)), 8, 0, 0, 0, 0, 0, 0, 0, 1)},
	{"6 keys of metadata do not fit into a file of 64 bytes", changed(with(uint32(1)), 16, 6)},
	{"metadata 2 of 2: its name: 8 bytes from byte 41 are beyond the file's 42: unexpected EOF", append(changed(with(uint32(1))[:41], 16, 2), 0)},
	{"metadata 1 of 1: its name: 70000 bytes are more than the 65535 there may be", build([]Entry{{strings.Repeat("k", 70000), true}}, nil)},
	{`metadata 2 of 2: "k" comes twice`, build([]Entry{{"k", true}, {"k", false}}, nil)},
	{`metadata 1 of 1: "k": kind 13 of a value is not known`, with(odd{13, 0, 0, 0})},
	{`metadata 1 of 1: "k": an array of kind 99, which is not known`, with(array(99, 1))},
	{`metadata 1 of 1: "k": an array of arrays is not supported`, with(array(9, 1))},
	{`metadata 1 of 1: "k": an array of 2305843009213693952 uint64 is beyond the file's 64 bytes: unexpected EOF`, with(array(10, 1<<61))},
	{`metadata 1 of 1: "k": an array of 3 string is beyond the file's 64 bytes: unexpected EOF`, with(array(8, 3))},
	{`metadata 1 of 1: "k": entry 0: 9223372036854775807 bytes from byte 57 are beyond the file's 64: unexpected EOF`,
		with(append(array(8, 1), 255, 255, 255, 255, 255, 255, 255, 127))},
	{`metadata 1 of 1: "k": 18446744073709551615 bytes are more than the 9223372036854775807 there may be`,
		with(odd{8, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255})},
	{`tensor 1 of 1: "t": 5 dimensions, at most 4 are allowed`, one(typeF32, 1, 1, 1, 1, 1)},
	{`tensor 1 of 1: "t": dimension 0 is 9223372036854775808`, one(typeF32, 1<<63)},
	{`tensor 1 of 1: "t": type Q4_3 (5) was taken out of the format; make the file anew from the model it came from`, one(5, 1)},
	{`tensor 1 of 1: "t": type 77 is not known (` + readable() + ` are)`, one(77, 1)},
	{`tensor "t": rows of 33 numbers are no whole blocks of 32, which Q8_0 has`, one(8, 33, 2)},
	{`tensor "t": rows of 1 numbers are no whole blocks of 32, which Q8_0 has`, one(8)},
	{`tensor "t": dimensions [4294967296 4294967296] overflow`, one(typeF32, 1<<32, 1<<32)},
	{`tensor "t": dimensions [4611686018427387904] of F32 overflow`, one(typeF32, 1<<62)},
	{`tensor "t": 68 bytes from offset 0 are beyond the 64 that the file has: unexpected EOF`, one(typeF32, 17)},
	{`tensor "t" comes twice`, build(nil, []spec{{name: "t", dims: []uint64{1}}, {name: "t", dims: []uint64{1}}})},
	{`general.alignment: 0 is no power of two`, build([]Entry{{alignmentKey, uint32(0)}}, nil)},
	{`general.alignment: 48 is no power of two`, build([]Entry{{alignmentKey, uint32(48)}}, nil)},
	{`general.alignment: is of kind uint64, not uint32`, build([]Entry{{alignmentKey, uint64(32)}}, nil)},
	{`tensor "u": lies within tensor "t"`, changed(build(nil, []spec{{name: "t", dims: []uint64{9}}, {name: "u", dims: []uint64{1}}}), 24+33+9+4+8+4, 0)},
}

func TestParseRefuses(t *testing.T) {
	for _, c := range broken {
		if _, err := parse(c.data); err == nil || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
}

// TestTruncated: both versions are read, and a file that is cut anywhere is refused.
func TestTruncated(t *testing.T) {
	data := build(slices.Concat(sizes(), words()), weights())
	data = data[:len(data)-16] // what pads the last tensor need not be there
	for _, version := range []byte{2, 3} {
		if h, err := parse(changed(data, 4, version)); err != nil || len(h.tensors) != len(weights()) {
			t.Fatalf("version %d: %v", version, err)
		}
	}
	for n := range data {
		if _, err := parse(data[:n]); err == nil {
			t.Fatalf("took the first %d of %d bytes", n, len(data))
		}
	}
}

// TestValues: values of every kind are read, and said to be of another where they are.
func TestValues(t *testing.T) {
	h, err := parse(build([]Entry{
		{"u8", uint8(200)}, {"u16", uint16(60000)}, {"u32", uint32(1 << 31)}, {"i32", int32(-5)}, {"f32", float32(0.1)}, {"f64", 0.1},
		{"yes", true}, {"text", "words"}, {"u64", uint64(1 << 63)}, {"texts", []string{"a", "", "bc"}}, {"list", []int32{-1, 2}},
		{"reals", []float32{0.5, 1}}, {"bytes", []uint8{1, 2}},
	}, nil))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]int64{"u8": 200, "u16": 60000, "u32": 1 << 31, "i32": -5} {
		if n, ok := h.meta[key].whole(); !ok || n != want {
			t.Errorf("%s is %d, %v", key, n, ok)
		}
	}
	for _, key := range []string{"u64", "f32", "yes", "text", "texts"} {
		if n, ok := h.meta[key].whole(); ok {
			t.Errorf("%s is a whole number, %d", key, n)
		}
	}
	f := &Metadata{meta: h.meta}
	for _, key := range []string{"f32", "f64"} {
		if x, ok := f.Decimal(key); !ok || x != 0.1 {
			t.Errorf("%s is %g", key, x)
		}
	}
	texts, _ := h.meta["texts"].texts()
	list, _ := h.meta["list"].wholes()
	reals, _ := h.meta["reals"].reals()
	raw, _ := h.meta["bytes"].bytes()
	if !slices.Equal(texts, []string{"a", "", "bc"}) || !slices.Equal(list, []int32{-1, 2}) || !slices.Equal(reals, []float32{0.5, 1}) || !bytes.Equal(raw, []byte{1, 2}) {
		t.Errorf("%q %v %v %v", texts, list, reals, raw)
	}
	if _, ok := h.meta["reals"].wholes(); ok {
		t.Error("numbers are whole that are not")
	}
	if f.Text("list"); f.err == nil || f.err.Error() != "list: is a value of kind array of 2 int32, not a string" {
		t.Errorf("%v", f.err)
	}
}
