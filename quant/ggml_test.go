package quant

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// inFiles are the formats that no shader reads: weights and bytes of a block.
var inFiles = map[*Format][2]int{
	Q4_0: {32, 18}, Q4_1: {32, 20}, Q5_0: {32, 22}, Q5_1: {32, 24}, IQ4_NL: {32, 18},
	Q2_K: {256, 84}, Q3_K: {256, 110}, Q5_K: {256, 176}, IQ4_XS: {256, 136},
}

// TestGGML holds every quantized format to what ggml makes of its blocks, to the bit. A file has three blocks of
// drawn bytes, with float16s of either sign, large, small and below the normal ones, and then what ggml's own
// code (llama.cpp v0.5.0) gives for them as float32.
func TestGGML(t *testing.T) {
	for _, f := range All() {
		if !f.Quantized() {
			continue
		}
		file, err := os.ReadFile(filepath.Join("testdata", f.Name+".bin"))
		if err != nil {
			t.Fatal(err)
		}
		const blocks = 3
		data, want := file[:blocks*f.Bytes], file[blocks*f.Bytes:]
		row := make([]float32, blocks*f.Weights)
		if err := f.Dequantize(row, data); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 4*len(row))
		if err := F32.Quantize(got, row); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: not what ggml makes of it", f)
		}
		part := make([]float32, len(row)-5) // a row that ends within a block
		if err := f.Dequantize(part, data); err != nil || !slices.Equal(part, row[:len(part)]) {
			t.Errorf("%s: %d weights of %d differ, %v", f, len(part), len(row), err)
		}
	}
}

// TestInFiles: what such a format is, that nothing is packed in it but Q5_0, and that a float16 which is not finite is
// told.
func TestInFiles(t *testing.T) {
	for f, want := range inFiles {
		if Lookup(f.Name) != f || f.Weights != want[0] || f.Bytes != want[1] || f.ReadOnly() != (f != Q5_0) || f.OnDevice() != F16 || slices.Contains(Targets(), f) {
			t.Errorf("%s: %+v", f, f)
		}
		data := make([]byte, 2*f.Bytes)
		says := fmt.Sprintf("nothing is packed in %s, which is only read", f)
		if err := f.Quantize(data, make([]float32, 2*f.Weights)); f.ReadOnly() && (err == nil || err.Error() != says) {
			t.Errorf("%s: %v, want %s", f, err, says)
		}
		if err := f.Check(data); err != nil {
			t.Errorf("%s: %v", f, err)
		}
		bad := 0
		for at := 0; at+1 < f.Bytes; at++ {
			clear(data)
			data[f.Bytes+at], data[f.Bytes+at+1] = 0, 0x7c
			if err := f.Check(data); err != nil {
				bad++
				if !strings.HasSuffix(err.Error(), " 1 of a row is +Inf") {
					t.Errorf("%s: %v", f, err)
				}
			}
		}
		row := make([]float32, f.Weights)
		clear(data)
		data[f.Bytes-1], data[0] = 1, 1
		if err := f.Dequantize(row, data[:f.Bytes]); err != nil || bad == 0 {
			t.Errorf("%s: %v, %d places of float16s", f, err, bad)
		}
	}
}

// TestQuantizesAsGGML: rows of many kinds become the bytes that ggml's own quantizers make of them. Where a scale is zero
// ggml leaves what its search found last, which nobody reads: there the numbers are compared.
func TestQuantizesAsGGML(t *testing.T) {
	numbers, err := os.ReadFile("testdata/numbers")
	if err != nil {
		t.Fatal(err)
	}
	row := make([]float32, len(numbers)/4)
	if err := F32.Dequantize(row, numbers); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*Format{Q4_K, Q6_K, Q5_0, Q8_0} {
		want, err := os.ReadFile(filepath.Join("testdata", f.Name+".quantized"))
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, f.RowBytes(len(row)))
		if err := f.Quantize(got, row); err != nil {
			t.Fatal(err)
		}
		same := 0
		for b := range len(row) / f.Weights {
			at := b * f.Bytes
			is, should := got[at:at+f.Bytes], want[at:at+f.Bytes]
			if bytes.Equal(is, should) {
				same++
			} else if !slices.Equal(numbersOf(t, f, is), numbersOf(t, f, should)) {
				t.Errorf("%s: block %d, of %g…, is % x, want % x", f, b, row[b*f.Weights], is, should)
			}
		}
		if all := len(row) / f.Weights; same < all*2/3 {
			t.Errorf("%s: %d blocks of %d have ggml's bytes", f, same, all)
		}
	}
}

// numbersOf are the numbers that a block stands for.
func numbersOf(t *testing.T, f *Format, block []byte) []float32 {
	t.Helper()
	row := make([]float32, f.Weights)
	if err := f.Dequantize(row, block); err != nil {
		t.Fatal(err)
	}
	return row
}
