// Package quant is how weights are stored: as numbers of 32 or 16 bits, or quantized in blocks. A Format
// packs a row of numbers into bytes, gives the numbers back that the bytes stand for, and lays rows out
// as the shaders read them. It knows nothing of files, of models or of devices.
//
// A row in a format is canonical when it is laid out as llama.cpp (ggml) lays it out: block after block,
// each of Format.Bytes bytes for Format.Weights weights, little-endian. A row may end within a block;
// what is left of the block is zero.
//
// To add a format, add one file like q8_0.go: a variable made by register, with the layout of a
// canonical block, how a row is packed, unpacked and checked, and how one row's part of a panel's block is
// put in its place. What lies beside the weights (scales, offsets, scales of scales) goes where the shaders
// of the format look for it. Its test is a line in the tables of quant_test.go, and its shaders carry the
// name in Format.Shader.
package quant

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// A Format is one way of storing weights. Formats are compared by their pointers.
type Format struct {
	Name       string // "f16" or "q8_0"
	Shader     string // what the variants of shaders that read it are called, such as "q8"; none when none do
	ShaderKind uint32 // formats that share shaders are kinds of them
	Weights    int    // weights of a block, neighbours in a row
	Bytes      int    // bytes of a block in the canonical layout

	pack   func(data []byte, row []float32) (bad int) // the first block that cannot be held, or -1; nil when only read
	unpack func(row []float32, data []byte)
	check  func(row []byte) error // nil when any bytes are a row

	panel panel
	other *Format // of rows that do not fill blocks; nil when a block need not be full
}

// formats are all there are, by name.
var formats = map[string]*Format{}

func register(f *Format) *Format {
	if formats[f.Name] != nil {
		panic("quant: two formats are called " + f.Name)
	}
	formats[f.Name] = f
	return f
}

// Lookup finds a format by its name, and nil when there is none of that name.
func Lookup(name string) *Format { return formats[name] }

// All are the formats there are, by their names.
func All() []*Format {
	var all []*Format
	for _, f := range formats {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *Format) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Targets are the quantized formats that a model can be given when it is loaded: those that rows are packed in
// and that shaders read, by their names.
func Targets() []*Format {
	return slices.DeleteFunc(All(), func(f *Format) bool { return !f.Quantized() || f.ReadOnly() || f.OnDevice() != f })
}

// String is the format's name.
func (f *Format) String() string { return f.Name }

// Quantized says whether weights share what is in a block, instead of each being a number of its own.
func (f *Format) Quantized() bool { return f.Weights > 1 }

// ReadOnly says whether there is no way to pack a row in the format.
func (f *Format) ReadOnly() bool { return f.pack == nil }

// OnDevice is the format in which a device holds rows of this one: itself when shaders read it, and F16 when not.
func (f *Format) OnDevice() *Format {
	if f.Shader == "" {
		return F16
	}
	return f
}

// For is the format that a row of cols weights gets where this one is asked for: another when ggml has this one for
// rows of whole blocks alone, and cols are none.
func (f *Format) For(cols int) *Format {
	if f.other != nil && cols%f.Weights != 0 {
		return f.other
	}
	return f
}

// Blocks is how many blocks hold a row of cols weights.
func (f *Format) Blocks(cols int) int { return (cols + f.Weights - 1) / f.Weights }

// RowBytes is the size of a canonical row of cols weights.
func (f *Format) RowBytes(cols int) int { return f.Blocks(cols) * f.Bytes }

// Quantize packs a row into data, of RowBytes(len(row)) bytes. It is an error when the format cannot
// hold a number: floats hold all but a finite number that would become infinite, quantized formats finite
// numbers within their range, and a format that is only read nothing.
func (f *Format) Quantize(data []byte, row []float32) error {
	if err := f.fit(data, len(row)); err != nil {
		return err
	}
	if f.ReadOnly() {
		return fmt.Errorf("nothing is packed in %s, which is only read", f.Name)
	}
	bad := f.pack(data, row)
	switch {
	case bad < 0:
		return nil
	case !f.Quantized():
		return fmt.Errorf("column %d is %g, which %s cannot hold", bad, row[bad], f.Name)
	}
	at := bad * f.Weights
	part := row[at:min(at+f.Weights, len(row))]
	return fmt.Errorf("column %d begins %d weights of magnitude %g, which %s cannot hold", at, len(part), largest(part), f.Name)
}

// Dequantize unpacks a canonical row of len(row) weights. It is an error when data is of another size.
func (f *Format) Dequantize(row []float32, data []byte) error {
	if err := f.fit(data, len(row)); err != nil {
		return err
	}
	f.unpack(row, data)
	return nil
}

// Check is an error when a canonical row from a file makes no sense, such as a scale that is not
// finite, or a float that is NaN.
func (f *Format) Check(row []byte) error {
	if len(row)%f.Bytes != 0 {
		return fmt.Errorf("%d bytes of a row are no blocks of %d", len(row), f.Bytes)
	}
	if f.check == nil {
		return nil
	}
	return f.check(row)
}

func (f *Format) fit(data []byte, cols int) error {
	if want := f.RowBytes(cols); len(data) != want {
		return fmt.Errorf("%d bytes do not hold a row of %d weights, which takes %d in %s", len(data), cols, want, f.Name)
	}
	return nil
}

// largest is the largest magnitude of some numbers, and NaN if one of them is.
func largest(part []float32) float32 {
	most := float32(0)
	for _, x := range part {
		most = max(most, float32(math.Abs(float64(x)))) // a NaN stays
	}
	return most
}
