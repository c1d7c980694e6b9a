package q8

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/mmrun/mmrun/internal/safetensors"
)

// Config is what config.json says of a quantized model, under quantization_config.
type Config struct {
	Method string `json:"quant_method"` // Method
	Block  int    `json:"block_size"`   // weights that share a scale, 32
}

// Validate is an error when it is another quantization than the one of this package.
func (c Config) Validate() error {
	if c.Method != Method {
		return fmt.Errorf("quantization_config: quant_method %q is not supported (%s is)", c.Method, Method)
	}
	if c.Block != Block {
		return fmt.Errorf("quantization_config: block_size %d is not supported (%d is)", c.Block, Block)
	}
	return nil
}

// QuantizedConfig is a config.json with its quantization_config.
func QuantizedConfig(data []byte) ([]byte, error) {
	keys := map[string]json.RawMessage{} // as they are: a number keeps its digits
	if err := json.Unmarshal(data, &keys); err != nil {
		return nil, err
	}
	own, err := json.Marshal(Config{Method, Block})
	if err != nil {
		return nil, err
	}
	keys["quantization_config"] = own
	data, err = json.MarshalIndent(keys, "", "  ")
	return append(data, '\n'), err
}

// Tensors are those of a model with its matrices quantized, to be written. They are quantized while
// they are, a row at a time: for the scales, which come first in a file, and again for the weights.
func Tensors(model *safetensors.Model) ([]safetensors.Out, error) {
	var out []safetensors.Out
	for _, name := range model.Names() {
		t, _ := model.Tensor(name)
		if !Holds(name) {
			out = append(out, safetensors.OfBytes(name, t.DType, t.Shape, t.Data))
			continue
		}
		if len(t.Shape) != 2 || !t.DType.Float() {
			return nil, fmt.Errorf("tensor %s: %s of shape %v is no matrix of floating point numbers", name, t.DType, t.Shape)
		}
		rows, cols := t.Shape[0], t.Shape[1]
		out = append(out,
			safetensors.Out{Name: name, DType: safetensors.I8, Shape: t.Shape,
				Write: func(w io.Writer) error { return write(t, func(weights, _ []byte) []byte { return weights }, w) }},
			safetensors.Out{Name: ScaleName(name), DType: safetensors.F16, Shape: []int{rows, Scales(cols)},
				Write: func(w io.Writer) error { return write(t, func(_, scales []byte) []byte { return scales }, w) }})
	}
	return out, nil
}

// write quantizes a matrix and writes one part of every row.
func write(t safetensors.Tensor, part func(weights, scales []byte) []byte, w io.Writer) error {
	r := NewRow(t.Shape[1])
	for i := range t.Shape[0] {
		weights, scales, err := r.Quantize(t, i)
		if err != nil {
			return err
		}
		if _, err := w.Write(part(weights, scales)); err != nil {
			return err
		}
	}
	return nil
}

// A Row has the room for one row of a matrix while it is quantized.
type Row struct {
	wide            []float32
	weights, scales []byte
}

// NewRow makes room for a row of cols numbers.
func NewRow(cols int) *Row {
	return &Row{make([]float32, cols), make([]byte, cols), make([]byte, 2*Scales(cols))}
}

// Quantize quantizes row i of a matrix of floating point numbers. What it returns is good until the
// next call; errors name the row.
func (r *Row) Quantize(t safetensors.Tensor, i int) (weights, scales []byte, err error) {
	n := len(r.wide) * t.DType.Size()
	if err := t.DType.Widen(r.wide, t.Data[i*n:(i+1)*n]); err != nil {
		return nil, nil, err
	}
	if err := Quantize(r.weights, r.scales, r.wide); err != nil {
		return nil, nil, fmt.Errorf("row %d: %w", i, err)
	}
	return r.weights, r.scales, nil
}
