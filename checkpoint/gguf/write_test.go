package gguf

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/quant"
)

// of is a tensor with its bytes.
func of(name string, format *quant.Format, data []byte, shape ...int) Out {
	return Out{Name: name, Format: format, Shape: shape, Write: func(w io.Writer) error { _, err := w.Write(data); return err }}
}

// TestEncode: what is written is read back.
func TestEncode(t *testing.T) {
	var file bytes.Buffer
	meta := slices.Concat(sizes(), words(Entry{"list", []float32{1, 2}}, Entry{"yes", []bool{true, false}}, Entry{"long", int64(-1)}))
	q8 := bytes.Repeat([]byte{7}, 2*34)
	if err := Encode(&file, meta, []Out{of("a", quant.F32, numbers(1, 2, 3), 3), of("b", quant.Q8_0, q8, 2, 32), of("c", quant.BF16, []byte{1, 2})}); err != nil {
		t.Fatal(err)
	}
	h, err := parse(file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := h.meta["long"].whole(); n != -1 || !ok || len(h.meta) != len(meta) {
		t.Errorf("%d keys, %d", len(h.meta), n)
	}
	if b := h.tensors[1]; len(h.tensors) != 3 || !bytes.Equal(b.data, q8) || !reflect.DeepEqual(b.dims, []int{32, 2}) || b.layout.format != quant.Q8_0 {
		t.Errorf("%d tensors, %v of %v", len(h.tensors), b.dims, b.layout)
	}
}

func TestEncodeRefuses(t *testing.T) {
	fail := of("f", quant.F32, nil)
	fail.Write = func(io.Writer) error { return errors.New("no luck") }
	one := of("a", quant.F32, numbers(1))
	for _, c := range []struct {
		want    string
		meta    []Entry
		tensors []Out
	}{
		{`"k" comes twice, or is too long for a key`, []Entry{{"k", true}, {"k", true}}, nil},
		{`"k": a value of int cannot be written`, []Entry{{"k", 1}}, nil},
		{`tensor "a" comes twice, or its name is longer than 64 bytes`, nil, []Out{one, one}},
		{`tensor "` + strings.Repeat("n", 65) + `" comes twice, or its name is longer than 64 bytes`, nil, []Out{of(strings.Repeat("n", 65), quant.F32, nil)}},
		{`tensor "a": wrote 4 bytes, shape [2] of f32 is 8`, nil, []Out{of("a", quant.F32, numbers(1), 2)}},
		{`tensor "a": rows of 33 numbers are no whole blocks of 32, which Q8_0 has`, nil, []Out{of("a", quant.Q8_0, nil, 33)}},
		{`tensor "a": shape [1 1 1 1 1] has more than 4 axes`, nil, []Out{of("a", quant.F32, nil, 1, 1, 1, 1, 1)}},
		{`tensor "a": <nil> is no type of a tensor`, nil, []Out{of("a", nil, nil)}},
		{`tensor "f": no luck`, nil, []Out{fail}},
	} {
		if err := Encode(io.Discard, c.meta, c.tensors); err == nil || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
}
