package gguf

import (
	"fmt"
	"slices"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/quant"
)

// weights are the tensors under Hugging Face's names, with its shapes.
func (m *model) weights() (*checkpoint.Tensors, error) {
	f := m.metadata()
	a, err := f.architecture()
	if err != nil {
		return nil, err
	}
	var all []checkpoint.Tensor
	for _, t := range m.tensors {
		n, ok := a.Naming(f, t.name)
		switch {
		case !ok:
			n = Naming{Name: t.name}
		case t.layout.format == nil:
			return nil, fmt.Errorf("tensor %s: type %s is not supported (%s are)", t.name, t.layout.name, readable())
		}
		all = append(all, t.as(n))
	}
	if f.err != nil {
		return nil, f.err
	}
	return checkpoint.NewTensors(all)
}

// as is the tensor under another name and with the shape that belongs to that.
func (t tensor) as(n Naming) checkpoint.Tensor {
	out := checkpoint.Tensor{Name: n.Name, Type: t.layout.name, Format: t.layout.format, Shape: slices.Clone(t.dims), Size: int64(len(t.data))}
	slices.Reverse(out.Shape)
	switch {
	case n.Shaping == Taps && len(t.dims) == 2:
		out.Shape = slices.Insert(out.Shape, 1, 1)
	case n.Shaping == Flat || n.Shaping == FlatLogarithm:
		out.Shape = []int{out.Len()}
	}
	_, cols := out.Grid()
	size := 0 // bytes of a row
	if f := t.layout.format; f != nil {
		size = f.RowBytes(cols)
	} else {
		size = cols * t.layout.bytes / t.layout.weights
	}
	out.Row = func(i int, _ []byte) ([]byte, error) { return t.data[i*size : (i+1)*size : (i+1)*size], nil }
	if n.Shaping == Logarithm || n.Shaping == FlatLogarithm {
		return logarithms(out, t.name)
	}
	return out
}

// logarithms are log(-a) of a tensor of a, as F32.
func logarithms(t checkpoint.Tensor, name string) checkpoint.Tensor {
	_, cols := t.Grid()
	row, from := t.Row, t.Format
	t.Format = quant.F32
	t.Row = func(i int, room []byte) ([]byte, error) {
		raw, err := row(i, nil)
		if err != nil {
			return nil, err
		}
		numbers := make([]float32, cols)
		if err := from.Dequantize(numbers, raw); err != nil {
			return nil, err
		}
		for j, a := range numbers {
			if !(a <= 0) {
				return nil, fmt.Errorf("%s: row %d, column %d is %g; there is no log(-a) of what is above 0", name, i, j, a)
			}
			numbers[j] = logarithm(-a)
		}
		data := slices.Grow(room[:0], quant.F32.RowBytes(cols))[:quant.F32.RowBytes(cols)]
		return data, quant.F32.Quantize(data, numbers)
	}
	return t
}
