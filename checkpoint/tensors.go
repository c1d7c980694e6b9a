package checkpoint

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/mmrun/mmrun/quant"
)

// A Tensor is one named array of a source.
type Tensor struct {
	Name   string
	Type   string        // of its numbers, as its file calls it: "BF16", "I32" or "Q8_0"
	Format *quant.Format // of its numbers; nil when they are none of weights
	Shape  []int         // slowest axis first; empty for a single number
	Size   int64         // bytes it takes in the file

	// Row is row i of the tensor seen as a matrix, see Grid: canonical when it has a Format, and as the
	// file has it otherwise. Of the tensors of a Source it lies in room, which should have the capacity for a
	// row, or in memory of its own; a source may hand NewTensors what lies in a map of Map.
	Row func(i int, room []byte) ([]byte, error)
}

// Len is how many numbers there are.
func (t Tensor) Len() int {
	rows, cols := t.Grid()
	return rows * cols
}

// Grid is the tensor as a matrix: the last axis is its columns, all others its rows. An empty tensor is
// none of either, whatever else its shape says.
func (t Tensor) Grid() (rows, cols int) {
	if slices.Contains(t.Shape, 0) {
		return 0, 0
	}
	rows, cols = 1, 1
	for _, n := range t.Shape {
		rows, cols = rows*cols, n
	}
	return rows, cols
}

// Reshaped is the tensor with its numbers, which are not quantized, in as many places of another shape.
func (t Tensor) Reshaped(shape ...int) Tensor {
	old := t
	t.Shape = shape
	_, from := old.Grid()
	_, to := t.Grid()
	if from == 0 || from == to {
		return t
	}
	size := t.Format.Bytes
	t.Row = func(i int, room []byte) ([]byte, error) {
		var part []byte
		room = room[:0]
		for at := i * to; at < (i+1)*to; at += from - at%from {
			row, err := old.Row(at/from, part)
			if err != nil {
				return nil, err
			}
			part = row
			end := min(from, at%from+(i+1)*to-at)
			room = append(room, row[at%from*size:end*size]...)
		}
		return room, nil
	}
	return t
}

// Same says whether two tensors have the same shape and the same numbers, whatever their formats.
func (t Tensor) Same(other Tensor) (bool, error) {
	if !slices.Equal(t.Shape, other.Shape) || t.Format == nil || other.Format == nil {
		return false, nil
	}
	as := quant.F32
	if t.Format == other.Format {
		as = t.Format
	}
	var first, second Reader
	rows, _ := t.Grid()
	for i := range rows {
		x, err := first.Row(t, i, as)
		if err != nil {
			return false, fmt.Errorf("tensor %s: %w", t.Name, err)
		}
		y, err := second.Row(other, i, as)
		if err != nil {
			return false, fmt.Errorf("tensor %s: %w", other.Name, err)
		}
		if !bytes.Equal(x, y) {
			return false, nil
		}
	}
	return true, nil
}

// Float32s are the tensor's numbers, what they stand for when they are quantized. Errors name the
// tensor.
func (t Tensor) Float32s() ([]float32, error) {
	if t.Format == nil {
		return nil, fmt.Errorf("tensor %s: type %s is none of weights", t.Name, t.Type)
	}
	rows, cols := t.Grid()
	numbers, room := make([]float32, rows*cols), make([]byte, 0, t.Format.RowBytes(cols))
	for i := range rows {
		row, err := t.sound(i, room)
		if err == nil {
			err = t.Format.Dequantize(numbers[i*cols:(i+1)*cols], row)
		}
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", t.Name, err)
		}
	}
	return numbers, nil
}

// sound is a row that makes sense.
func (t Tensor) sound(i int, room []byte) ([]byte, error) {
	row, err := t.Row(i, room)
	if err == nil {
		err = t.Format.Check(row)
	}
	return row, err
}

// A Reader has the room for one row while it is read, in whatever format it is wanted.
type Reader struct {
	room, data []byte
	wide       []float32
}

// Row is row i of a tensor in a format, its own or another. Rows change their format by way of float32,
// which is exact where the new one is F32. What is returned is good until the next call, and not to be
// written to.
func (r *Reader) Row(t Tensor, i int, to *quant.Format) ([]byte, error) {
	if t.Format == nil {
		return nil, fmt.Errorf("type %s is none of weights", t.Type)
	}
	_, cols := t.Grid()
	r.room = slices.Grow(r.room[:0], t.Format.RowBytes(cols))
	row, err := t.sound(i, r.room)
	if err != nil || t.Format == to {
		return row, err
	}
	r.wide = slices.Grow(r.wide[:0], cols)[:cols]
	r.data = slices.Grow(r.data[:0], to.RowBytes(cols))[:to.RowBytes(cols)]
	if err := t.Format.Dequantize(r.wide, row); err != nil {
		return nil, err
	}
	if err := to.Quantize(r.data, r.wide); err != nil {
		return nil, fmt.Errorf("row %d: %w", i, err)
	}
	return r.data, nil
}

// Tensors are those of a source, by name.
type Tensors struct {
	names  []string
	byName map[string]Tensor
}

// NewTensors makes a set of tensors for a Source. Their rows are read within [Guard] and copied out of maps. Two of one name
// are an error.
func NewTensors(all []Tensor) (*Tensors, error) {
	set := &Tensors{byName: make(map[string]Tensor, len(all))}
	for _, t := range all {
		if _, twice := set.byName[t.Name]; twice {
			return nil, fmt.Errorf("tensor %s comes twice", t.Name)
		}
		set.byName[t.Name] = t.guarded()
	}
	set.names = slices.Sorted(maps.Keys(set.byName))
	return set, nil
}

// Only are those tensors of the set that which names.
func (s *Tensors) Only(which func(name string) bool) *Tensors {
	part := &Tensors{byName: map[string]Tensor{}}
	for _, name := range s.names {
		if which(name) {
			part.names = append(part.names, name)
			part.byName[name] = s.byName[name]
		}
	}
	return part
}

// Names are the names of all tensors, sorted.
func (s *Tensors) Names() []string { return s.names }

// Tensor is the tensor with a name, and whether there is one.
func (s *Tensors) Tensor(name string) (Tensor, bool) {
	t, ok := s.byName[name]
	return t, ok
}

// Quantized is the quantized format that most of the weights are in, nil when none are quantized.
func (s *Tensors) Quantized() *quant.Format {
	numbers := map[*quant.Format]int{}
	var most *quant.Format
	for _, name := range s.names { // in order, so that of equals it is always the same
		t := s.byName[name]
		if t.Format == nil || !t.Format.Quantized() {
			continue
		}
		numbers[t.Format] += t.Len()
		if numbers[t.Format] > numbers[most] {
			most = t.Format
		}
	}
	return most
}
