// Package q8 is Q8_0, llama.cpp's quantization of weights to eight bits: every 32 neighbours in a row
// share a scale d, and a weight is a whole number q from -127 to 127 that stands for q·d.
//
// A quantized matrix X.weight [rows, cols] is two tensors in a file, named as compressed-tensors
// and vLLM name them: X.weight I8 of the same shape, and X.weight_scale F16 [rows, ⌈cols/32⌉].
package q8

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/mmrun/mmrun/internal/safetensors"
)

// Method is what config.json calls the quantization.
const Method = "q8_0"

// Block is how many weights share a scale.
const Block = 32

// matrices are quantized wherever they are in a model: the embeddings, the head and the linear layers,
// but for the memory's k_proj and v_proj, which are small and used once a window.
var matrices = []string{
	"backbone.embeddings.weight", "lm_head.weight",
	".mixer.in_proj.weight", ".mixer.x_proj.weight", ".mixer.dt_proj.weight", ".mixer.out_proj.weight",
	".memory.note_proj.weight", "_attn.q_proj.weight", "_attn.o_proj.weight",
	"gpt_neox.embed_in.weight", "embed_out.weight", ".attention.query_key_value.weight", ".attention.dense.weight",
	".mlp.dense_h_to_4h.weight", ".mlp.dense_4h_to_h.weight",
}

// Holds says whether a quantized model holds the tensor of that name quantized.
func Holds(name string) bool {
	return slices.ContainsFunc(matrices, func(end string) bool {
		return name == end || strings.IndexByte("._", end[0]) >= 0 && strings.HasSuffix(name, end)
	})
}

// ScaleName is the name of the tensor with the scales of a quantized one.
func ScaleName(name string) string { return name + "_scale" }

// IsScale says whether that is the name of a quantized tensor's scales.
func IsScale(name string) bool {
	of, found := strings.CutSuffix(name, "_scale")
	return found && Holds(of)
}

// Scales is how many scales a row of cols weights has.
func Scales(cols int) int { return (cols + Block - 1) / Block }

// Quantize writes a row's weights, a byte each, and its scales, an F16 each: d is the largest
// magnitude of a block by 127, and q is x/d, ties away from zero, before d is rounded to F16. A number that is
// not finite, or too large for an F16 scale, is an error.
func Quantize(weights, scales []byte, row []float32) error {
	if len(weights) != len(row) || len(scales) != 2*Scales(len(row)) {
		return fmt.Errorf("%d weights and %d bytes of scales do not hold a row of %d", len(weights), len(scales), len(row))
	}
	for b := range Scales(len(row)) {
		part := row[b*Block : min((b+1)*Block, len(row))]
		most := float32(0)
		for _, x := range part {
			most = max(most, float32(math.Abs(float64(x)))) // a NaN stays
		}
		d := most / 127
		narrow := safetensors.Float32ToF16(d)
		if narrow&0x7c00 == 0x7c00 {
			return fmt.Errorf("column %d begins %d weights of magnitude %g, which %s cannot hold", b*Block, len(part), most, Method)
		}
		binary.LittleEndian.PutUint16(scales[2*b:], narrow)
		inverse := float32(0)
		if narrow != 0 {
			inverse = 1 / d
		}
		for i, x := range part {
			weights[b*Block+i] = byte(int8(math.Round(float64(float32(x * inverse)))))
		}
	}
	return nil
}

// CheckScales is an error when one of a row's scales is not finite.
func CheckScales(scales []byte) error {
	for i := 0; i < len(scales); i += 2 {
		if h := binary.LittleEndian.Uint16(scales[i:]); h&0x7c00 == 0x7c00 {
			return fmt.Errorf("scale %d of a row is %g", i/2, safetensors.F16ToFloat32(h))
		}
	}
	return nil
}

// Dequantize returns the numbers that a quantized row stands for.
func Dequantize(row []float32, weights, scales []byte) {
	for i := range row {
		d := safetensors.F16ToFloat32(binary.LittleEndian.Uint16(scales[i/Block*2:]))
		row[i] = float32(int8(weights[i])) * d
	}
}

// A Matrix is a quantized matrix of a file.
type Matrix struct {
	Rows, Cols      int
	Weights, Scales []byte // row after row
}

// ScalesOf returns the scales of a matrix in the file of a quantized model, and an error that names the
// tensor when it or they are not of the type and shape they should be.
func ScalesOf(model *safetensors.Model, t safetensors.Tensor) (safetensors.Tensor, error) {
	if t.DType != safetensors.I8 || len(t.Shape) != 2 {
		return t, fmt.Errorf("tensor %s: %s of shape %v, quantization_config asks for a matrix of I8", t.Name, t.DType, t.Shape)
	}
	name, want := ScaleName(t.Name), []int{t.Shape[0], Scales(t.Shape[1])}
	s, ok := model.Tensor(name)
	switch {
	case !ok:
		return s, fmt.Errorf("tensor %s is missing", name)
	case s.DType != safetensors.F16:
		return s, fmt.Errorf("tensor %s: type %s, scales are F16", name, s.DType)
	case !slices.Equal(s.Shape, want):
		return s, fmt.Errorf("tensor %s: shape %v, that of the scales of %v is %v", name, s.Shape, t.Shape, want)
	}
	return s, nil
}

// Float32s returns a tensor's numbers, whether it is quantized or not.
func Float32s(model *safetensors.Model, name string) ([]float32, error) {
	t, ok := model.Tensor(name)
	if !ok {
		return nil, fmt.Errorf("tensor %s is missing", name)
	}
	if t.DType != safetensors.I8 {
		return t.Float32s()
	}
	scales, err := ScalesOf(model, t)
	if err != nil {
		return nil, err
	}
	cols, numbers := t.Shape[1], make([]float32, t.Len())
	for i := range t.Shape[0] {
		n := 2 * Scales(cols)
		Dequantize(numbers[i*cols:(i+1)*cols], t.Data[i*cols:(i+1)*cols], scales.Data[i*n:(i+1)*n])
	}
	return numbers, nil
}
