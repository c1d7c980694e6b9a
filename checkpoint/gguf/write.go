package gguf

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/mmrun/mmrun/quant"
)

// An Entry is a key of the metadata and its value: a uint8, uint16, uint32, uint64, int32, int64, float32,
// float64, bool or string, or a slice of uint8, uint32, int32, float32, bool or string.
type Entry struct {
	Key   string
	Value any
}

// An Out is a tensor to write.
type Out struct {
	Name   string
	Format *quant.Format
	Shape  []int                   // slowest axis first
	Write  func(w io.Writer) error // writes the canonical rows one after the other
}

// Encode writes a whole file of version 3. Keys and tensors are written in their order. A tensor that writes
// other than the bytes of its shape is an error.
func Encode(w io.Writer, meta []Entry, tensors []Out) error {
	b := bufio.NewWriterSize(w, 1<<20)
	header, sizes, err := encodeHeader(meta, tensors)
	if err != nil {
		return err
	}
	if _, err := b.Write(header); err != nil {
		return err
	}
	for i, t := range tensors {
		exact := &counter{w: b}
		if err := t.Write(exact); err != nil {
			return fmt.Errorf("tensor %s: %w", quote(t.Name), err)
		}
		if exact.n != sizes[i] {
			return fmt.Errorf("tensor %s: wrote %d bytes, shape %v of %s is %d", quote(t.Name), exact.n, t.Shape, t.Format, sizes[i])
		}
		if _, err := b.Write(make([]byte, padding(exact.n))); err != nil {
			return err
		}
	}
	return b.Flush()
}

// counter counts the bytes that go through it.
type counter struct {
	w io.Writer
	n int
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += n
	return n, err
}

// padding is how many bytes follow n to the next multiple of the alignment.
func padding(n int) int { return (defaultAlignment - n%defaultAlignment) % defaultAlignment }

// encodeHeader is all before the numbers, padded, and the bytes of each tensor.
func encodeHeader(meta []Entry, tensors []Out) (header []byte, sizes []int, err error) {
	const version = 3
	le := binary.LittleEndian
	header = le.AppendUint32([]byte(magic), version)
	header = le.AppendUint64(le.AppendUint64(header, uint64(len(tensors))), uint64(len(meta)))
	seen := map[string]bool{}
	for _, e := range meta {
		if seen[e.Key] || len(e.Key) > maxKey {
			return nil, nil, fmt.Errorf("%s comes twice, or is too long for a key", quote(e.Key))
		}
		seen[e.Key] = true
		header = appendText(header, e.Key)
		if header, err = appendValue(header, e.Value); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", quote(e.Key), err)
		}
	}
	clear(seen)
	at := 0
	for _, t := range tensors {
		if seen[t.Name] || len(t.Name) > maxName {
			return nil, nil, fmt.Errorf("tensor %s comes twice, or its name is longer than %d bytes", quote(t.Name), maxName)
		}
		seen[t.Name] = true
		size, err := t.size()
		if err == nil && size > math.MaxInt-defaultAlignment-at {
			err = fmt.Errorf("the total size overflows")
		}
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %s: %w", quote(t.Name), err)
		}
		header = t.appendTo(header, at)
		sizes, at = append(sizes, size), at+size+padding(size)
	}
	return append(header, make([]byte, padding(len(header)))...), sizes, nil
}

// dtype is the number of a tensor's type.
func (t Out) dtype() (dtype, bool) {
	for number, l := range layouts {
		if l.format == t.Format && t.Format != nil {
			return number, true
		}
	}
	return 0, false
}

// size is how many bytes a tensor takes.
func (t Out) size() (int, error) {
	number, ok := t.dtype()
	if !ok {
		return 0, fmt.Errorf("%v is no type of a tensor", t.Format)
	}
	if len(t.Shape) > maxDims {
		return 0, fmt.Errorf("shape %v has more than %d axes", t.Shape, maxDims)
	}
	dims := slices.Clone(t.Shape)
	slices.Reverse(dims)
	return layouts[number].size(dims)
}

// appendTo writes what is said of a tensor.
func (t Out) appendTo(b []byte, offset int) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(appendText(b, t.Name), uint32(len(t.Shape)))
	for _, n := range slices.Backward(t.Shape) {
		b = le.AppendUint64(b, uint64(n))
	}
	number, _ := t.dtype() // size has found it
	return le.AppendUint64(le.AppendUint32(b, uint32(number)), uint64(offset))
}

func appendText(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

// appendScalar writes a value that is no array, without its kind.
func appendScalar(b []byte, value any) (kind, []byte) {
	le := binary.LittleEndian
	switch v := value.(type) {
	case uint8:
		return kindUint8, append(b, v)
	case uint16:
		return kindUint16, le.AppendUint16(b, v)
	case uint32:
		return kindUint32, le.AppendUint32(b, v)
	case uint64:
		return kindUint64, le.AppendUint64(b, v)
	case int32:
		return kindInt32, le.AppendUint32(b, uint32(v))
	case int64:
		return kindInt64, le.AppendUint64(b, uint64(v))
	case float32:
		return kindFloat32, le.AppendUint32(b, math.Float32bits(v))
	case float64:
		return kindFloat64, le.AppendUint64(b, math.Float64bits(v))
	case bool:
		if v {
			return kindBool, append(b, 1)
		}
		return kindBool, append(b, 0)
	case string:
		return kindString, appendText(b, v)
	}
	return kindEnd, b
}

// appendArray writes an array with its kind.
func appendArray[T any](b []byte, all []T) []byte {
	var none T
	elem, _ := appendScalar(nil, none)
	b = binary.LittleEndian.AppendUint32(b, uint32(kindArray))
	b = binary.LittleEndian.AppendUint32(b, uint32(elem))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(all)))
	for _, v := range all {
		_, b = appendScalar(b, v)
	}
	return b
}

// appendValue writes a value with its kind.
func appendValue(b []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case []uint8:
		return appendArray(b, v), nil
	case []uint32:
		return appendArray(b, v), nil
	case []int32:
		return appendArray(b, v), nil
	case []float32:
		return appendArray(b, v), nil
	case []bool:
		return appendArray(b, v), nil
	case []string:
		return appendArray(b, v), nil
	}
	k, data := appendScalar(nil, value)
	if k == kindEnd {
		return nil, fmt.Errorf("a value of %T cannot be written", value)
	}
	return append(binary.LittleEndian.AppendUint32(b, uint32(k)), data...), nil
}
