package safetensors

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/quant"
)

const (
	matrixName   = "lm_head.weight"
	quantizedKey = `{"hidden_size": 64, "quantization_config": {"quant_method": "q8_0", "block_size": 32}}`
)

// openTensors writes tensors and a config.json as a model, and opens it.
func openTensors(t *testing.T, config string, tensors []Out) (*checkpoint.Tensors, error) {
	t.Helper()
	dir := t.TempDir()
	if err := CreateModel(dir, nil, tensors, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, configName), []byte(config), 0o666); err != nil {
		t.Fatal(err)
	}
	src, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	all, err := src.Tensors()
	if err != nil {
		err = fmt.Errorf("%s", strings.TrimPrefix(err.Error(), dir))
	}
	return all, err
}

// fixed is what quantizes the matrix of these tests alone.
func fixed(name string) bool { return name == matrixName }

// TestQuantized: matrices are quantized, a row at a time, all else is as it was, and the file has the bytes of
// the format's blocks, scales apart from weights.
func TestQuantized(t *testing.T) {
	const rows, cols = 3, 70
	numbers, rng := make([]float32, rows*cols), rand.New(rand.NewPCG(3, 4))
	for i := range numbers {
		numbers[i] = float32(rng.NormFloat64())
	}
	const vector, mask = "backbone.norm_f.weight", "mask"
	source, err := openTensors(t, `{}`, []Out{
		OfFloat32(matrixName, BF16, []int{rows, cols}, numbers), OfFloat32(vector, F32, []int{cols}, numbers[:cols]),
		OfBytes(mask, Bool, []int{1, 2, 2}, []byte{1, 0, 1, 1}),
	})
	if err != nil {
		t.Fatal(err)
	}
	outs, err := Quantized(source, quant.Q8_0, fixed)
	if err != nil {
		t.Fatal(err)
	}
	got, err := openTensors(t, quantizedKey, outs)
	if err != nil {
		t.Fatal(err)
	}
	if names := got.Names(); !slices.Equal(names, []string{vector, matrixName, mask}) || got.Quantized() != quant.Q8_0 || source.Quantized() != nil {
		t.Fatalf("tensors %q, quantized %v from %v", names, got.Quantized(), source.Quantized())
	}
	before, _ := source.Tensor(matrixName)
	after, _ := got.Tensor(matrixName)
	if after.Type != "Q8_0" || after.Format != quant.Q8_0 || !slices.Equal(after.Shape, before.Shape) || after.Size != rows*(cols+2*3) {
		t.Errorf("%+v", after)
	}
	wide, err := before.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		want := make([]byte, 3*34)
		if err := quant.Q8_0.Quantize(want, wide[i*cols:(i+1)*cols]); err != nil {
			t.Fatal(err)
		}
		room := bytes.Repeat([]byte{0xaa}, 200) // of another row
		if row, err := after.Row(i, room[:0]); err != nil || !slices.Equal(row, want) {
			t.Errorf("row %d: % x, want % x, error %v", i, row, want, err)
		}
	}
	for _, name := range []string{vector, mask} {
		before, _ := source.Tensor(name)
		after, _ := got.Tensor(name)
		a, errA := before.Row(0, nil)
		b, errB := after.Row(0, nil)
		if errA != nil || errB != nil || !slices.Equal(a, b) || before.Type != after.Type || before.Size != after.Size {
			t.Errorf("%s changed: %+v, %+v", name, before, after)
		}
	}
	if _, err := Quantized(got, quant.Q8_0, fixed); err == nil || err.Error() != "tensor lm_head.weight: Q8_0 of shape [3 70] is no matrix of floating point numbers" {
		t.Errorf("quantized twice: %v", err)
	}
	again, err := OfTensor(after)
	if err != nil || len(again) != 2 || again[1].Name != matrixName+"_scale" {
		t.Fatalf("%v, %v", again, err)
	}
	for i, out := range again {
		var a, b bytes.Buffer
		if err := out.Write(&a); err != nil {
			t.Fatal(err)
		}
		for _, same := range outs {
			if same.Name == out.Name {
				if err := same.Write(&b); err != nil {
					t.Fatal(err)
				}
			}
		}
		if a.Len() == 0 || !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("part %d of the matrix is written otherwise when it is copied", i)
		}
	}
}

// TestQuantizedRefuses: a row that cannot be held is named, and so are tensors that the files cannot have.
func TestQuantizedRefuses(t *testing.T) {
	source, err := openTensors(t, `{}`, []Out{OfFloat32(matrixName, F32, []int{2, 2}, []float32{1, 2, 3, 9e6}), OfFloat32("other", F32, []int{1, 2}, []float32{1, 2})})
	if err != nil {
		t.Fatal(err)
	}
	outs, err := Quantized(source, quant.Q8_0, fixed)
	if err != nil {
		t.Fatal(err)
	}
	if err := CreateModel(t.TempDir(), nil, outs, 0); err == nil || !strings.Contains(err.Error(), "row 1: column 0 begins 2 weights of magnitude 9e+06") {
		t.Errorf("%v", err)
	}
	const says = "tensor other: q8_0 of shape [1 2] is not written to safetensors files"
	if _, err := Quantized(source, quant.Q8_0, func(name string) bool { return name == "other" }); err == nil || err.Error() != says {
		t.Errorf("%v, want %s", err, says)
	}
}

// TestQuantizedFiles: what is wrong with a quantized matrix, or with what config.json says of it, is said in a
// line that names the tensor or the field.
func TestQuantizedFiles(t *testing.T) {
	zeros := func(name string, d DType, shape ...int) Out {
		n := d.Size()
		for _, s := range shape {
			n *= s
		}
		return OfBytes(name, d, shape, make([]byte, n))
	}
	scales := func(d DType, shape ...int) Out { return zeros(matrixName+"_scale", d, shape...) }
	weights, vector := zeros(matrixName, I8, 2, 40), zeros("norm.weight", F32, 4)
	config := func(from, to string) string { return strings.Replace(quantizedKey, from, to, 1) }
	for _, c := range []struct {
		says, config string
		tensors      []Out
	}{
		{"", quantizedKey, []Out{weights, scales(F16, 2, 2), vector}},
		{"", `{}`, []Out{vector, scales(F16, 2, 2)}},                                         // no weights, and no reason to look
		{"", `{}`, []Out{zeros(matrixName, F32, 2, 40), scales(F16, 2, 2)}},                  // not quantized
		{"", quantizedKey, []Out{weights, scales(F16, 2, 2), zeros("D", I8, 4)}},             // refused by whoever asks for it
		{"", quantizedKey, []Out{weights, scales(F16, 2, 2), zeros("x.weight", F16, 2, 40)}}, // one that stayed as it was
		{": tensor lm_head.weight_scale is missing", quantizedKey, []Out{weights}},
		{": tensor lm_head.weight_scale: type F32, scales are F16", quantizedKey, []Out{weights, scales(F32, 2, 2)}},
		{": tensor lm_head.weight_scale: shape [2 1], that of the scales of [2 40] is [2 2]", quantizedKey, []Out{weights, scales(F16, 2, 1)}},
		{": tensor lm_head.weight_scale: shape [1 4], that of", quantizedKey, []Out{weights, scales(F16, 1, 4)}},
		{": tensor lm_head.weight: I8 of shape [80], quantization_config asks for a matrix of I8", quantizedKey, []Out{zeros(matrixName, I8, 80), scales(F16, 2, 2)}},
		{": tensor lm_head.weight: U8 of shape [2 40], quantiz", quantizedKey, []Out{zeros(matrixName, U8, 2, 40), scales(F16, 2, 2)}},
		{": tensor lm_head.weight: type I8, but config.json has no quantization_config", `{}`, []Out{weights, scales(F16, 2, 2)}},
		{": config.json has a quantization_config, but no weights are quantized", quantizedKey, []Out{vector}},
		{`/config.json: quantization_config: quant_method "gptq" is not supported (q8_0 is)`, config(`"q8_0"`, `"gptq"`), []Out{vector}},
		{`/config.json: quantization_config: quant_method "" is not supported`, config(`"quant_method"`, `"method"`), []Out{vector}},
		{"/config.json: quantization_config: block_size 64 is not supported (32 is)", config("32", "64"), []Out{vector}},
		{"/config.json: quantization_config.block_size: a string where a whole number is expected", config("32", `"32"`), []Out{vector}},
		{"/config.json: quantization_config.quant_method: true or false where a string is expected", config(`"q8_0"`, "true"), []Out{vector}},
		{"/config.json: quantization_config: a string where an object is expected", `{"quantization_config": "q8_0"}`, []Out{vector}},
		{"/config.json: broken JSON", `{`, []Out{vector}},
	} {
		_, err := openTensors(t, c.config, c.tensors)
		if (err == nil) != (c.says == "") || err != nil && !strings.HasPrefix(err.Error(), c.says) {
			t.Errorf("%v, want %q", err, c.says)
		}
	}
}

func TestQuantizedConfig(t *testing.T) {
	data, err := QuantizedConfig([]byte(`{"hidden_size": 64, "seed": 12345678901234567890}`), quant.Q8_0)
	if err != nil {
		t.Fatal(err)
	}
	for _, has := range []string{`"quant_method": "q8_0"`, `"block_size": 32`, `"hidden_size": 64`, "12345678901234567890"} {
		if !strings.Contains(string(data), has) {
			t.Errorf("%s does not hold %s", data, has)
		}
	}
	if quantized, err := parseQuantization(data); !quantized || err != nil {
		t.Errorf("%s is not taken for quantized: %v", data, err)
	}
	if _, err := QuantizedConfig([]byte(`{}`), quant.F16); err == nil || !strings.Contains(err.Error(), "f16") {
		t.Errorf("%v", err)
	}
	if _, err := QuantizedConfig([]byte(`[]`), quant.Q8_0); err == nil {
		t.Error("a list went for a config.json")
	}
}
