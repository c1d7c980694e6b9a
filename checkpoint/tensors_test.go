package checkpoint

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/quant"
)

// tensor is one of rows in a format, of which only some can be read.
func tensor(t *testing.T, name string, f *quant.Format, cols int, numbers []float32) Tensor {
	t.Helper()
	var rows [][]byte
	for row := range slices.Chunk(numbers, cols) {
		data := make([]byte, f.RowBytes(cols))
		if err := f.Quantize(data, row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, data)
	}
	return Tensor{Name: name, Type: strings.ToUpper(f.Name), Format: f, Shape: []int{len(rows), cols}, Row: func(i int, room []byte) ([]byte, error) {
		return append(room[:0], rows[i]...), nil
	}}
}

func TestGrid(t *testing.T) {
	for _, c := range []struct {
		shape      []int
		rows, cols int
	}{
		{nil, 1, 1}, {[]int{5}, 1, 5}, {[]int{2, 3}, 2, 3}, {[]int{4, 1, 3}, 4, 3}, {[]int{2, 3, 4}, 6, 4},
		{[]int{0}, 0, 0}, {[]int{1 << 62, 0}, 0, 0}, {[]int{0, 1 << 62}, 0, 0},
	} {
		x := Tensor{Shape: c.shape}
		if rows, cols := x.Grid(); rows != c.rows || cols != c.cols || x.Len() != c.rows*c.cols {
			t.Errorf("%v is %d rows of %d", c.shape, rows, cols)
		}
	}
	if numbers, err := (Tensor{Format: quant.Q8_0, Shape: []int{1 << 62, 0}}).Float32s(); err != nil || len(numbers) != 0 {
		t.Errorf("an empty tensor holds %v, %v", numbers, err)
	}
}

// TestReader reads rows of every format in every other: they are what the tensor's numbers become in it.
func TestReader(t *testing.T) {
	const rows, cols = 3, 70
	numbers, rng := make([]float32, rows*cols), rand.New(rand.NewPCG(1, 2))
	for i := range numbers {
		numbers[i] = float32(rng.NormFloat64())
	}
	r := new(Reader) // one for all: its room is of other rows before
	packed := slices.DeleteFunc(quant.All(), (*quant.Format).ReadOnly)
	for _, from := range packed {
		x := tensor(t, "x", from, cols, numbers)
		stands, err := x.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range packed {
			for i := range rows {
				want := make([]byte, to.RowBytes(cols))
				if err := to.Quantize(want, stands[i*cols:(i+1)*cols]); err != nil {
					t.Fatal(err)
				}
				if from == to { // as it is, not packed anew
					want, _ = x.Row(i, nil)
				}
				if got, err := r.Row(x, i, to); err != nil || !slices.Equal(got, want) {
					t.Errorf("%s as %s, row %d: %v\n% x, want\n% x", from, to, i, err, got, want)
				}
			}
		}
	}
}

// TestReaderRefuses: errors of a row come through, and what cannot be held is told with the row.
func TestReaderRefuses(t *testing.T) {
	broken := errors.New("broken")
	for says, c := range map[string]struct {
		x  Tensor
		to *quant.Format
	}{
		"type I32 is none of weights": {Tensor{Type: "I32", Shape: []int{2, 2}}, quant.F32},
		"broken":                      {Tensor{Format: quant.F32, Shape: []int{2, 2}, Row: func(int, []byte) ([]byte, error) { return nil, broken }}, quant.F32},
		"row 1: column 1 is 70000, which f16 cannot hold": {tensor(t, "x", quant.F32, 2, []float32{1, 2, 3, 7e4}), quant.F16},
		"scale 0 of a row is +Inf": {Tensor{Format: quant.Q8_0, Shape: []int{2, 2}, Row: func(int, []byte) ([]byte, error) {
			return append([]byte{0, 0x7c}, make([]byte, 32)...), nil
		}}, quant.Q8_0},
	} {
		if _, err := new(Reader).Row(c.x, 1, c.to); err == nil || err.Error() != says {
			t.Errorf("%v, want %s", err, says)
		}
	}
}

func TestTensors(t *testing.T) {
	small, large := tensor(t, "b", quant.Q8_0, 4, make([]float32, 4)), tensor(t, "a", quant.F16, 400, make([]float32, 800))
	set, err := NewTensors([]Tensor{small, large, {Name: "c", Type: "I32"}})
	if err != nil {
		t.Fatal(err)
	}
	if names := set.Names(); fmt.Sprint(names) != "[a b c]" || set.Quantized() != quant.Q8_0 {
		t.Errorf("%v, quantized %v", names, set.Quantized())
	}
	if set, err := NewTensors([]Tensor{large}); err != nil || set.Quantized() != nil {
		t.Errorf("floats are quantized, %v", err)
	}
	if _, err := NewTensors([]Tensor{small, small}); err == nil || err.Error() != "tensor b comes twice" {
		t.Errorf("%v", err)
	}
}
