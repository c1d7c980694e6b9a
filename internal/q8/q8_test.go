package q8

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/internal/safetensors"
)

// halves are numbers as F16 bytes.
func halves(numbers ...float32) []byte {
	data, _ := safetensors.F16.Narrow(nil, numbers)
	return data
}

// TestQuantize holds rows to numbers worked out by hand.
func TestQuantize(t *testing.T) {
	long := make([]float32, 33) // a block and one number
	long[0], long[31], long[32] = 254, -254, 0.5
	for _, test := range []struct {
		name    string
		row     []float32
		weights []int8
		scales  []byte
	}{
		{"whole numbers", []float32{127, -127, 3, 0, -1}, []int8{127, -127, 3, 0, -1}, halves(1)},
		{"ties go away from zero", []float32{127, 0.5, -0.5, 2.5, -2.5, 0.49999997}, []int8{127, 1, -1, 3, -3, 0}, halves(1)},
		{"zeros", []float32{0, 0}, []int8{0, 0}, halves(0)},
		{"too small for a scale", []float32{1e-9, -1e-9}, []int8{0, 0}, halves(0)},
		{"subnormal", []float32{1e-45}, []int8{0}, halves(0)},
		{"two blocks", long, append(append([]int8{127}, make([]int8, 30)...), -127, 127), halves(2, 0.5/127)},
		{"the weight by the scale before it is rounded", []float32{1, 0.49998}, []int8{127, 63}, halves(1. / 127)},
	} {
		weights, scales := make([]byte, len(test.row)), make([]byte, 2*Scales(len(test.row)))
		if err := Quantize(weights, scales, test.row); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		for i, w := range test.weights {
			if int8(weights[i]) != w {
				t.Errorf("%s: weight %d is %d, want %d", test.name, i, int8(weights[i]), w)
			}
		}
		if !slices.Equal(scales, test.scales) {
			t.Errorf("%s: scales % x, want % x", test.name, scales, test.scales)
		}
	}
}

// TestQuantizeRefuses: a number that has no scale is not made another.
func TestQuantizeRefuses(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for says, row := range map[string][]float32{"NaN": {1, nan, 2}, "Inf": {1, inf}, "9e+06": {9e6, 0}} {
		err := Quantize(make([]byte, len(row)), make([]byte, 2), row)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: %v, want one that says %s", row, err, says)
		}
	}
	if Quantize(make([]byte, 33), make([]byte, 2), make([]float32, 33)) == nil {
		t.Error("33 weights went with one scale")
	}
}

// TestDequantize: what comes back is within half a step and what the scale's rounding adds.
func TestDequantize(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		row := make([]float32, 1+rng.IntN(100))
		size := math.Exp2(float64(rng.IntN(24) - 6))
		for i := range row {
			row[i] = float32(size * rng.NormFloat64())
		}
		weights, scales, back := make([]byte, len(row)), make([]byte, 2*Scales(len(row))), make([]float32, len(row))
		if err := Quantize(weights, scales, row); err != nil {
			t.Fatal(err)
		}
		Dequantize(back, weights, scales)
		for i, x := range row {
			d := float64(safetensors.F16ToFloat32(binary.LittleEndian.Uint16(scales[i/Block*2:])))
			if off := math.Abs(float64(back[i] - x)); off > 0.501*d+127*d*0x1p-11 {
				t.Fatalf("%g came back as %g, the scale is %g", x, back[i], d)
			}
		}
	}
}

func TestCheckScales(t *testing.T) {
	if err := CheckScales(halves(0, 1, -65504)); err != nil {
		t.Error(err)
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if err := CheckScales(halves(1, float32(bad))); err == nil || !strings.Contains(err.Error(), "scale 1 of a row") {
			t.Errorf("%g: %v", bad, err)
		}
	}
}

func TestHolds(t *testing.T) {
	for name, want := range map[string]bool{
		"backbone.embeddings.weight": true, "lm_head.weight": true, "backbone.layers.3.mixer.in_proj.weight": true,
		"backbone.layers.0.memory.layer_attn.o_proj.weight": true, "backbone.layers.0.memory.note_proj.weight": true,
		"backbone.layers.0.memory.token_attn.k_proj.weight": false, "backbone.layers.0.memory.token_attn.gate.weight": false,
		"backbone.layers.0.memory.note_score.weight": false, "backbone.layers.0.mixer.in_proj.bias": false,
		"backbone.layers.0.mixer.conv1d.weight": false, "backbone.layers.0.mixer.A_log": false, "backbone.norm_f.weight": false,
		"other.lm_head.weight": false, "": false,
		"gpt_neox.embed_in.weight": true, "embed_out.weight": true, "gpt_neox.layers.0.attention.query_key_value.weight": true,
		"gpt_neox.layers.11.mlp.dense_4h_to_h.weight": true, "gpt_neox.layers.0.attention.dense.bias": false,
		"gpt_neox.layers.0.input_layernorm.weight": false, "gpt_neox.layers.0.attention.bias": false,
	} {
		if Holds(name) != want || IsScale(ScaleName(name)) != want || IsScale(name) {
			t.Errorf("%q: %v, as scales %v", name, Holds(name), IsScale(ScaleName(name)))
		}
	}
}

// openModel writes tensors as a model and opens it.
func openModel(t *testing.T, tensors []safetensors.Out) *safetensors.Model {
	t.Helper()
	dir := filepath.Join(t.TempDir())
	if err := safetensors.CreateModel(dir, nil, tensors, 0); err != nil {
		t.Fatal(err)
	}
	m, err := safetensors.OpenModel(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// TestTensors: matrices are quantized, a row at a time, and all else is as it was.
func TestTensors(t *testing.T) {
	numbers, rng := make([]float32, 3*70), rand.New(rand.NewPCG(3, 4))
	for i := range numbers {
		numbers[i] = float32(rng.NormFloat64())
	}
	const matrix, vector = "lm_head.weight", "backbone.norm_f.weight"
	source := openModel(t, []safetensors.Out{
		safetensors.OfFloat32(matrix, safetensors.BF16, []int{3, 70}, numbers),
		safetensors.OfFloat32(vector, safetensors.F32, []int{70}, numbers[:70]),
	})
	tensors, err := Tensors(source)
	if err != nil {
		t.Fatal(err)
	}
	m := openModel(t, tensors)
	if names := m.Names(); !slices.Equal(names, []string{vector, matrix, matrix + "_scale"}) {
		t.Fatalf("tensors %q", names)
	}
	got, err := Float32s(m, vector)
	if err != nil || !slices.Equal(got, numbers[:70]) {
		t.Errorf("the vector changed: %v", err)
	}
	if got, err = Float32s(m, matrix); err != nil {
		t.Fatal(err)
	}
	before, err := Float32s(source, matrix)
	if err != nil {
		t.Fatal(err)
	}
	for r := range 3 {
		weights, scales, want := make([]byte, 70), make([]byte, 6), make([]float32, 70)
		if err := Quantize(weights, scales, before[r*70:(r+1)*70]); err != nil {
			t.Fatal(err)
		}
		Dequantize(want, weights, scales)
		if !slices.Equal(got[r*70:(r+1)*70], want) {
			t.Errorf("row %d is not what quantizing it gives", r)
		}
	}
	if _, err := Tensors(m); err == nil || !strings.Contains(err.Error(), matrix) {
		t.Errorf("quantized twice: %v", err)
	}
}

func TestScalesOf(t *testing.T) {
	const name = "lm_head.weight"
	weights := safetensors.OfBytes(name, safetensors.I8, []int{2, 40}, make([]byte, 80))
	scales := func(d safetensors.DType, shape ...int) safetensors.Out {
		return safetensors.OfBytes(name+"_scale", d, shape, make([]byte, d.Size()*shape[0]*shape[1]))
	}
	for says, tensors := range map[string][]safetensors.Out{
		"tensor lm_head.weight_scale is missing":             {weights},
		"tensor lm_head.weight_scale: type F32":              {weights, scales(safetensors.F32, 2, 2)},
		"tensor lm_head.weight_scale: shape [2 1]":           {weights, scales(safetensors.F16, 2, 1)},
		"tensor lm_head.weight_scale: shape [1 4]":           {weights, scales(safetensors.F16, 1, 4)},
		"tensor lm_head.weight: I8 of shape [80]":            {safetensors.OfBytes(name, safetensors.I8, []int{80}, make([]byte, 80))},
		"tensor lm_head.weight: U8 of shape [2 40], quantiz": {safetensors.OfBytes(name, safetensors.U8, []int{2, 40}, make([]byte, 80))},
	} {
		m := openModel(t, tensors)
		tensor, _ := m.Tensor(name)
		if _, err := ScalesOf(m, tensor); err == nil || !strings.HasPrefix(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	m := openModel(t, []safetensors.Out{weights, scales(safetensors.F16, 2, 2)})
	tensor, _ := m.Tensor(name)
	if s, err := ScalesOf(m, tensor); err != nil || s.Name != name+"_scale" {
		t.Errorf("%q, %v", s.Name, err)
	}
}

func TestConfig(t *testing.T) {
	data, err := QuantizedConfig([]byte(`{"hidden_size": 64, "seed": 12345678901234567890}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, has := range []string{`"quant_method": "q8_0"`, `"block_size": 32`, `"hidden_size": 64`, "12345678901234567890"} {
		if !strings.Contains(string(data), has) {
			t.Errorf("%s does not hold %s", data, has)
		}
	}
	for says, c := range map[string]Config{`quant_method "gptq"`: {"gptq", 32}, "block_size 64": {Method, 64}, `quant_method ""`: {}} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if err := (Config{Method, Block}).Validate(); err != nil {
		t.Error(err)
	}
}
