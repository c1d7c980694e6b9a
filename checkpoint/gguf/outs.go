package gguf

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/quant"
)

// Targets are what files can be quantized to, and general.file_type of such files.
var Targets = map[string]uint32{"q4_k_m": 15, "q6_k": 18, "q8_0": 7}

// TypeOf is the type that llama.cpp's quantizer gives a matrix of a name in a file of a target: q4_k_m has the head in
// Q6_K, or the embeddings where they are the head, which head says. Rows that do not fill the blocks of that type get
// another, as llama.cpp has it, and F16 where they do not fill those of that either.
func TypeOf(target string, head bool, cols int) *quant.Format {
	format := map[string]*quant.Format{"q4_k_m": quant.Q4_K, "q6_k": quant.Q6_K, "q8_0": quant.Q8_0}[target]
	if head && format == quant.Q4_K {
		format = quant.Q6_K
	}
	if cols%format.Weights != 0 {
		format = map[*quant.Format]*quant.Format{quant.Q4_K: quant.Q5_0, quant.Q6_K: quant.Q8_0, quant.Q8_0: quant.F16}[format]
	}
	if cols%format.Weights != 0 {
		format = quant.F16
	}
	return format
}

// FileType is general.file_type of a file whose matrices are mostly in a format.
func FileType(format *quant.Format) (uint32, bool) {
	n, ok := map[*quant.Format]uint32{quant.F32: 0, quant.F16: 1, quant.BF16: 32, quant.Q8_0: 7, quant.Q4_K: 15, quant.Q6_K: 18}[format]
	return n, ok
}

// Of is a tensor of a checkpoint as a file is to have it: under a name and in a shape of the same numbers, whose logarithms
// become what they are of, in a format. Errors of writing name the tensor.
func Of(t checkpoint.Tensor, as Naming, shape []int, to *quant.Format) Out {
	r := new(checkpoint.Reader)
	rows, cols := t.Grid()
	return Out{Name: as.Name, Format: to, Shape: shape, Write: func(w io.Writer) error {
		for i := range rows {
			row, err := r.Row(t, i, to)
			if err == nil && (as.Shaping == Logarithm || as.Shaping == FlatLogarithm) {
				row, err = exponentials(t, i, cols, r)
			}
			if err == nil {
				_, err = w.Write(row)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
		}
		return nil
	}}
}

// exponentials are a row of -exp(a), as F32. Numbers beyond those of F32 become its largest.
func exponentials(t checkpoint.Tensor, i, cols int, r *checkpoint.Reader) ([]byte, error) {
	raw, err := r.Row(t, i, quant.F32)
	if err != nil {
		return nil, err
	}
	numbers := make([]float32, cols)
	if err := quant.F32.Dequantize(numbers, raw); err != nil {
		return nil, err
	}
	for j, a := range numbers {
		numbers[j] = float32(max(-math.Exp(float64(a)), -math.MaxFloat32))
	}
	row := make([]byte, quant.F32.RowBytes(cols))
	return row, quant.F32.Quantize(row, numbers)
}

// logarithm is the number of F32 whose exponential is nearest to a, which is above 0: of a number of F32 made from one of F32
// it is one that makes the same number again.
func logarithm(a float32) float32 {
	x := float32(math.Log(float64(a)))
	best, off := x, math.Inf(1)
	for step := -8; step <= 8; step++ {
		near := math.Float32frombits(uint32(int(math.Float32bits(x)) + step))
		if d := math.Abs(float64(float32(math.Exp(float64(near)))) - float64(a)); d < off || d == off && near == x {
			best, off = near, d
		}
	}
	return best
}

// A Source is a model in GGUF files; checkpoint.As finds it.
type Source interface {
	checkpoint.Source
	ofGGUF()
}

func (s *source) ofGGUF() {}

// MetadataOf are the keys of a source that is a GGUF file, without those that a prefix of names begins; false for any other source.
func MetadataOf(src checkpoint.Source, without ...string) (all []Entry, ok bool, err error) {
	s, ok := checkpoint.As[*source](src)
	if !ok {
		return nil, false, nil
	}
	_, err = ask(s, func(m *model) (none struct{}, err error) {
		for key, v := range m.meta {
			if !hasPrefix(key, without) {
				all = append(all, Entry{key, v.copied()})
			}
		}
		return none, nil
	})
	sortEntries(all)
	return all, true, err
}

func hasPrefix(key string, of []string) bool {
	for _, p := range of {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return false
}
