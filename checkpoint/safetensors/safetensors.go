// Package safetensors reads and writes the safetensors format: eight bytes with the length of a
// JSON header, the header (name, dtype, shape and place of every tensor) and the tensors' bytes,
// little-endian and row-major.
//
// The reader trusts nothing: every file it accepts describes each byte of its data exactly once.
//
// Importing the package makes it a kind of files of package checkpoint: a directory as Hugging Face lays it
// out, whose weights are one file or shards, plain or quantized (see OfTensor).
package safetensors

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/mmrun/mmrun/checkpoint"
)

// Tensor is one named array of a file.
type Tensor struct {
	File  string // the file it is in, for errors
	Name  string
	DType DType
	Other string // the type's name where DType is none that is known, and nothing can be said of the size
	Shape []int  // slowest axis first; empty for a single number
	Data  []byte // little-endian, aliases the file's map: not to be written, nor used after Close or outside of checkpoint.Guard
}

// Type returns the name of the type, as files have it.
func (t Tensor) Type() string { return cmp.Or(t.Other, t.DType.String()) }

// Len returns the number of elements.
func (t Tensor) Len() int {
	n := 1
	for _, s := range t.Shape {
		n *= s
	}
	return n
}

// Float32s returns a copy of an F32, F16, BF16 or F64 tensor as float32 (see DType.Widen).
func (t Tensor) Float32s() ([]float32, error) {
	if !t.DType.Float() {
		return nil, t.errorf("dtype %s is not a float type", t.Type())
	}
	out := make([]float32, t.Len())
	if err := t.Widen(out, 0); err != nil {
		return nil, t.errorf("%w", err)
	}
	return out, nil
}

// Widen fills dst with the numbers of a float tensor from the first on (see DType.Widen).
func (t Tensor) Widen(dst []float32, first int) error {
	size := t.DType.Size()
	if len(t.Data) != t.Len()*size {
		return fmt.Errorf("%d bytes are not %d elements of %s", len(t.Data), t.Len(), t.DType)
	}
	if first < 0 || first > t.Len() || len(dst) > t.Len()-first {
		return fmt.Errorf("%d numbers from number %d are not in %d", len(dst), first, t.Len())
	}
	return checkpoint.Guard(func() error { return t.DType.Widen(dst, t.Data[first*size:(first+len(dst))*size]) })
}

// Int32s returns a copy of an I32 or I64 tensor. A value outside int32 is an error.
func (t Tensor) Int32s() ([]int32, error) {
	if t.DType != I32 && t.DType != I64 {
		return nil, t.errorf("dtype %s is neither I32 nor I64", t.Type())
	}
	n := t.Len()
	if len(t.Data) != n*t.DType.Size() {
		return nil, t.errorf("%d bytes are not %d elements of %s", len(t.Data), n, t.DType)
	}
	out := make([]int32, n)
	return out, checkpoint.Guard(func() error {
		for i := range out {
			if t.DType == I32 {
				out[i] = int32(binary.LittleEndian.Uint32(t.Data[4*i:]))
				continue
			}
			v := int64(binary.LittleEndian.Uint64(t.Data[8*i:]))
			if v < math.MinInt32 || v > math.MaxInt32 {
				return t.errorf("element %d is %d, outside int32", i, v)
			}
			out[i] = int32(v)
		}
		return nil
	})
}

func (t Tensor) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: tensor %s: %w", t.File, quote(t.Name), fmt.Errorf(format, args...))
}

// File is an open safetensors file.
type File struct {
	name    string
	tensors map[string]Tensor
	meta    map[string]string
	release func() error // gives the map back; nil when there is none
}

// Open maps the file at path read-only and checks its header. Where the file shrinks while it is open, its numbers are
// checkpoint.ErrChanged.
func Open(path string) (*File, error) {
	data, release, err := checkpoint.Map(path)
	if err != nil {
		return nil, err
	}
	return parseMapped(path, data, release)
}

// parseMapped is Parse of a map, which it gives back when there is an error.
func parseMapped(name string, data []byte, release func() error) (*File, error) {
	var file *File
	err := checkpoint.Guard(func() (err error) { file, err = Parse(name, data); return err })
	if err != nil {
		return nil, errors.Join(err, release())
	}
	file.release = release
	return file, nil
}

// Parse reads a file that is already in memory; name is what errors call it. The tensors alias
// data.
func Parse(name string, data []byte) (*File, error) {
	header, rest, err := split(name, data)
	if err != nil {
		return nil, err
	}
	h, err := parseHeader(header)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := checkCover(h.entries, len(rest)); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	f := &File{name: name, meta: h.meta, tensors: make(map[string]Tensor, len(h.entries))}
	for _, e := range h.entries {
		f.tensors[e.name] = Tensor{File: name, Name: e.name, DType: e.dtype, Other: e.other, Shape: e.shape,
			Data: rest[e.begin:e.end:e.end]}
	}
	return f, nil
}

// Tensor returns the tensor with the given name and whether there is one.
func (f *File) Tensor(name string) (Tensor, bool) {
	t, ok := f.tensors[name]
	return t, ok
}

// Names returns the names of all tensors, sorted.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.tensors)) }

// Metadata returns the file's free-form "__metadata__", nil when it has none.
func (f *File) Metadata() map[string]string { return f.meta }

// Close gives the map back; the tensors' Data must not be used any more. Closing twice is fine.
func (f *File) Close() error {
	release := f.release
	f.release, f.tensors = nil, nil
	if release == nil {
		return nil
	}
	if err := release(); err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	return nil
}

const (
	lengthSize = 8           // bytes of the header's length
	maxHeader  = 100_000_000 // the limit of the format's own implementation
)

func shortFile(name string, size int64) error {
	return fmt.Errorf("%s: %d bytes are too few for a safetensors file: %w", name, size, io.ErrUnexpectedEOF)
}

// split returns the JSON header and the tensors' bytes.
func split(name string, data []byte) (header, rest []byte, err error) {
	if len(data) < lengthSize {
		return nil, nil, shortFile(name, int64(len(data)))
	}
	n := binary.LittleEndian.Uint64(data)
	rest = data[lengthSize:]
	if n > maxHeader {
		return nil, nil, fmt.Errorf("%s: header length %d is above the limit of %d: not a safetensors file?", name, n, maxHeader)
	}
	if n > uint64(len(rest)) {
		return nil, nil, fmt.Errorf("%s: header length %d is beyond the file's %d bytes: %w", name, n, len(data), io.ErrUnexpectedEOF)
	}
	return rest[:n], rest[n:], nil
}

// quote is strconv.Quote kept to one short line: names come out of the file and may be of any length.
func quote(s string) string {
	const limit = 120
	if len(s) > limit {
		return strconv.Quote(s[:limit]) + "…"
	}
	return strconv.Quote(s)
}
