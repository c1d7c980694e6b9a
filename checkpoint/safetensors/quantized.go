package safetensors

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/internal/config"
	"github.com/mmrun/mmrun/quant"
)

// A quantized matrix X.weight [rows, cols] is two tensors in a file, named as compressed-tensors and vLLM
// name them: X.weight I8 of the same shape, and X.weight_scale F16 [rows, ⌈cols/32⌉]. config.json says
// so under quantization_config. The two become one tensor of quant.Q8_0.
const scaleEnding, weightEnding = "_scale", ".weight"

// scaleBytes is the size of a scale, which comes first in a block of Q8_0.
const scaleBytes = 2

// quantization is what config.json says of quantized weights, under quantization_config.
type quantization struct {
	Method string `json:"quant_method"`
	Block  int    `json:"block_size"` // weights that share a scale
}

// parseQuantization says whether a config.json tells of quantized weights, and refuses any but Q8_0's.
func parseQuantization(data []byte) (bool, error) {
	var told struct {
		Quantization *quantization   `json:"quantization_config"`
		MLX          json.RawMessage `json:"quantization"`
	}
	err := config.Decode(data, &told)
	switch q := told.Quantization; {
	case err != nil:
		return false, err
	case q == nil && len(told.MLX) > 0 && told.MLX[0] == '{':
		return false, fmt.Errorf("quantization: MLX's is not supported (%s is); take the model that it was made from", quant.Q8_0.Name)
	case q == nil:
		return false, nil
	case q.Method != quant.Q8_0.Name:
		return false, fmt.Errorf("quantization_config: quant_method %q is not supported (%s is)", q.Method, quant.Q8_0.Name)
	case q.Block != quant.Q8_0.Weights:
		return false, fmt.Errorf("quantization_config: block_size %d is not supported (%d is)", q.Block, quant.Q8_0.Weights)
	}
	return true, nil
}

// QuantizedConfig is a config.json that tells of weights quantized in a format, which must be Q8_0.
func QuantizedConfig(data []byte, format *quant.Format) ([]byte, error) {
	if format != quant.Q8_0 {
		return nil, fmt.Errorf("%s weights are not written to safetensors files (%s are)", format, quant.Q8_0)
	}
	keys, err := config.Keys(data) // as they are: a number keeps its digits
	if err != nil {
		return nil, err
	}
	own, err := json.Marshal(quantization{format.Name, format.Weights})
	if err != nil {
		return nil, err
	}
	keys["quantization_config"] = own
	return config.Write(keys)
}

// tensorsOf are the tensors of a model's files, those that are quantized with their scales.
func tensorsOf(model *Model, quantized bool) ([]checkpoint.Tensor, error) {
	var all []checkpoint.Tensor
	pairs := 0
	for _, name := range model.Names() {
		t, _ := model.Tensor(name)
		of, isScale := strings.CutSuffix(name, scaleEnding)
		if _, weights := model.Tensor(of); isScale && weights && quantized && strings.HasSuffix(of, weightEnding) {
			continue // part of its weights
		}
		if !isMatrix(model, t, quantized) {
			all = append(all, plain(t))
			continue
		}
		if !quantized {
			return nil, fmt.Errorf("tensor %s: type %s, but %s has no quantization_config", name, t.DType, configName)
		}
		pair, err := pairOf(model, t)
		if err != nil {
			return nil, err
		}
		all, pairs = append(all, pair), pairs+1
	}
	if quantized && pairs == 0 {
		return nil, fmt.Errorf("%s has a quantization_config, but no weights are quantized", configName)
	}
	return all, nil
}

// isMatrix says whether a tensor is, or should be, a quantized matrix: weights with scales beside them, or of I8.
func isMatrix(model *Model, t Tensor, quantized bool) bool {
	if !strings.HasSuffix(t.Name, weightEnding) {
		return false
	}
	_, scales := model.Tensor(t.Name + scaleEnding)
	return t.DType == I8 && len(t.Shape) == 2 || quantized && scales
}

// pairOf is a quantized matrix.
func pairOf(model *Model, t Tensor) (checkpoint.Tensor, error) {
	var none checkpoint.Tensor
	if t.DType != I8 || len(t.Shape) != 2 {
		return none, fmt.Errorf("tensor %s: %s of shape %v, quantization_config asks for a matrix of I8", t.Name, t.DType, t.Shape)
	}
	name, want := t.Name+scaleEnding, []int{t.Shape[0], quant.Q8_0.Blocks(t.Shape[1])}
	s, ok := model.Tensor(name)
	switch {
	case !ok:
		return none, fmt.Errorf("tensor %s is missing", name)
	case s.DType != F16:
		return none, fmt.Errorf("tensor %s: type %s, scales are F16", name, s.DType)
	case !slices.Equal(s.Shape, want):
		return none, fmt.Errorf("tensor %s: shape %v, that of the scales of %v is %v", name, s.Shape, t.Shape, want)
	}
	cols, scales := t.Shape[1], scaleBytes*want[1]
	return checkpoint.Tensor{
		Name: t.Name, Type: "Q8_0", Format: quant.Q8_0, Shape: t.Shape, Size: int64(len(t.Data) + len(s.Data)),
		Row: func(i int, room []byte) ([]byte, error) {
			return join(room, t.Data[i*cols:(i+1)*cols], s.Data[i*scales:(i+1)*scales]), nil
		},
	}, nil
}

// join puts a row's weights and scales together as blocks of Q8_0, the last of them filled up with zeros.
func join(room, weights, scales []byte) []byte {
	row := slices.Grow(room[:0], quant.Q8_0.RowBytes(len(weights)))
	for block := range slices.Chunk(weights, quant.Q8_0.Weights) {
		row = append(append(row, scales[:scaleBytes]...), block...)
		scales = scales[scaleBytes:]
	}
	for len(row)%quant.Q8_0.Bytes != 0 {
		row = append(row, 0)
	}
	return row
}

// separate takes blocks of Q8_0 apart into a row's weights and scales.
func separate(row, weights, scales []byte) {
	for block := range slices.Chunk(row, quant.Q8_0.Bytes) {
		scales = scales[copy(scales, block[:scaleBytes]):]
		weights = weights[copy(weights, block[scaleBytes:]):]
	}
}

// Quantized are the tensors of a checkpoint with those quantized that which says so by name, to be written.
// They are quantized while they are, a row at a time, and all else stays as it is.
func Quantized(tensors *checkpoint.Tensors, to *quant.Format, which func(name string) bool) ([]Out, error) {
	var out []Out
	for _, name := range tensors.Names() {
		t, _ := tensors.Tensor(name)
		same, err := OfTensor(t)
		if which(name) {
			if len(t.Shape) != 2 || t.Format == nil || t.Format.Quantized() {
				return nil, fmt.Errorf("tensor %s: %s of shape %v is no matrix of floating point numbers", name, t.Type, t.Shape)
			}
			r := new(checkpoint.Reader)
			same, err = ofRows(name, to, t.Shape, func(i int) ([]byte, error) { return r.Row(t, i, to) })
		}
		if err != nil {
			return nil, err
		}
		out = append(out, same...)
	}
	return out, nil
}

// OfTensor are the tensors of a file for one of a checkpoint, as it is: two when it is quantized, X.weight I8 and
// X.weight_scale F16.
func OfTensor(t checkpoint.Tensor) ([]Out, error) {
	var room []byte
	row := func(i int) ([]byte, error) { return t.Row(i, room) }
	if t.Format != nil {
		_, cols := t.Grid()
		room = make([]byte, 0, t.Format.RowBytes(cols))
		return ofRows(t.Name, t.Format, t.Shape, row)
	}
	d, err := ParseDType(t.Type)
	if err != nil {
		return nil, fmt.Errorf("tensor %s: %w", t.Name, err)
	}
	return []Out{ofParts(t.Name, d, t.Shape, t.Shape, row, nil)}, nil
}

// ofRows are the tensors of a file for canonical rows in a format, floats or Q8_0. The rows are asked for in
// order while the file is written, and of a quantized matrix twice: for the scales, which come first, and
// again for the weights. A row must be good until the next is asked for.
func ofRows(name string, format *quant.Format, shape []int, row func(i int) ([]byte, error)) ([]Out, error) {
	for _, d := range []DType{F32, F16, BF16} {
		if d.format() == format {
			return []Out{ofParts(name, d, shape, shape, row, nil)}, nil
		}
	}
	if format != quant.Q8_0 || len(shape) != 2 || !strings.HasSuffix(name, weightEnding) {
		return nil, fmt.Errorf("tensor %s: %s of shape %v is not written to safetensors files", name, format, shape)
	}
	blocks := format.Blocks(shape[1])
	weights, scales := make([]byte, shape[1]), make([]byte, scaleBytes*blocks)
	part := func(of []byte) func(row []byte) []byte {
		return func(row []byte) []byte { separate(row, weights, scales); return of }
	}
	return []Out{
		ofParts(name, I8, shape, shape, row, part(weights)),
		ofParts(name+scaleEnding, F16, []int{shape[0], blocks}, shape, row, part(scales)),
	}, nil
}

// ofParts is a tensor made of a part of every row of one of shape of, all of it when part is nil.
func ofParts(name string, d DType, shape, of []int, row func(i int) ([]byte, error), part func(row []byte) []byte) Out {
	rows, _ := checkpoint.Tensor{Shape: of}.Grid()
	return Out{Name: name, DType: d, Shape: shape, Write: func(w io.Writer) error {
		for i := range rows {
			data, err := row(i)
			if err != nil {
				return err
			}
			if part != nil {
				data = part(data)
			}
			if _, err := w.Write(data); err != nil {
				return err
			}
		}
		return nil
	}}
}
