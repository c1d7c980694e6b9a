package pytorch

import (
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/quant"
)

// A storage is numbers in a row, an entry of the archive.
type storage struct {
	key     string
	numbers int64
	element element
}

// A view is a tensor: a part of a storage, by offset and strides, all in numbers.
type view struct {
	storage *storage
	element element
	offset  int
	shape   []int
	stride  []int
}

// newView makes a tensor of (storage, offset, size, stride, …). The type of its numbers is the storage's, unless that
// is one of bytes alone.
func newView(args tuple, e *element) (any, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("%d arguments, at least 4 are expected", len(args))
	}
	s, ok := args[0].(*storage)
	if !ok {
		return nil, fmt.Errorf("%s where a storage is expected", describe(args[0]))
	}
	offset, ok := args[1].(int64)
	if !ok || offset < 0 || int64(int(offset)) != offset {
		return nil, fmt.Errorf("%s where an offset of 0 or more is expected", describe(args[1]))
	}
	shape, err := whole(args[2])
	if err != nil {
		return nil, fmt.Errorf("size: %w", err)
	}
	stride, err := whole(args[3])
	if err != nil {
		return nil, fmt.Errorf("strides: %w", err)
	}
	v := &view{storage: s, element: s.element, offset: int(offset), shape: shape, stride: stride}
	if e != nil {
		v.element = *e
	}
	return v, v.check()
}

// check says whether all numbers of a tensor lie within its storage.
func (v *view) check() error {
	switch {
	case v.element.name == "":
		return fmt.Errorf("a storage of bytes, and no type of its numbers")
	case len(v.shape) != len(v.stride):
		return fmt.Errorf("size %v and strides %v differ in length", short(v.shape), short(v.stride))
	case v.storage.element.name != "" && v.storage.element != v.element:
		return fmt.Errorf("a storage of %s, and numbers of %s", v.storage.element.name, v.element.name)
	}
	room := v.storage.numbers * int64(v.storage.element.size) / int64(v.element.size)
	last, count := uint64(v.offset), uint64(1)
	empty := slices.Contains(v.shape, 0)
	for i, n := range v.shape {
		if empty {
			break
		}
		hi, far := bits.Mul64(uint64(n-1), uint64(v.stride[i]))
		over, all := bits.Mul64(count, uint64(n))
		sum, carry := bits.Add64(last, far, 0)
		if hi != 0 || over != 0 || carry != 0 || all > math.MaxInt64/uint64(v.element.size) {
			return fmt.Errorf("size %v with strides %v overflows", short(v.shape), short(v.stride))
		}
		last, count = sum, all
	}
	if !empty && last >= uint64(room) {
		return fmt.Errorf("size %v with strides %v from %d ends at number %d, storage %s has %d", short(v.shape), short(v.stride), v.offset, last, quote(v.storage.key), room)
	}
	return nil
}

// short prints a shape that comes out of a file.
func short(shape []int) string {
	const limit = 8
	if len(shape) > limit {
		return fmt.Sprintf("%d…(%d axes)", shape[:limit], len(shape))
	}
	return fmt.Sprint(shape)
}

// formats are the types of numbers that weights may have.
var formats = map[string]*quant.Format{"F32": quant.F32, "F16": quant.F16, "BF16": quant.BF16}

// tensor is a view with the bytes of its storage. With swapped they are big-endian.
func (v *view) tensor(name string, data []byte, swapped bool) checkpoint.Tensor {
	t := checkpoint.Tensor{Name: name, Type: v.element.name, Format: formats[v.element.name], Shape: v.shape}
	t.Size = int64(t.Len()) * int64(v.element.size)
	_, cols := t.Grid()
	size, step := v.element.size, 1
	if n := len(v.stride); n > 0 {
		step = v.stride[n-1]
	}
	t.Row = func(i int, room []byte) ([]byte, error) {
		at := v.row(i)
		if (step == 1 || cols == 1) && !swapped {
			return data[at*size : (at+cols)*size : (at+cols)*size], nil
		}
		room = room[:0]
		for range cols {
			room = append(room, data[at*size:(at+1)*size]...)
			if swapped {
				slices.Reverse(room[len(room)-size:])
			}
			at += step
		}
		return room, nil
	}
	return t
}

// row is where row i begins: the last axis is the columns, all others are the rows.
func (v *view) row(i int) int {
	at := v.offset
	for axis := len(v.shape) - 2; axis >= 0; axis-- {
		at += i % v.shape[axis] * v.stride[axis]
		i /= v.shape[axis]
	}
	return at
}
