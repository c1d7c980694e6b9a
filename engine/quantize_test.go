package engine_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/checkpoint/safetensors"
	. "github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/refmodel"
	"github.com/mmrun/mmrun/quant"
)

// quantized writes the model in a directory with its weights quantized, changed by those who spoil it.
func quantized(t *testing.T, dir string, spoil ...func([]safetensors.Out) []safetensors.Out) string {
	t.Helper()
	config, err := safetensors.QuantizedConfig(configOf(t, dir), quant.Q8_0)
	if err != nil {
		t.Fatal(err)
	}
	return rewritten(t, config, dir, func(from *checkpoint.Tensors) ([]safetensors.Out, error) {
		tensors, err := safetensors.Quantized(from, quant.Q8_0, isMatrix(t, config))
		if err != nil {
			return nil, err
		}
		for _, change := range spoil {
			tensors = change(tensors)
		}
		return tensors, nil
	})
}

// isMatrix says of the tensors of a config whether they may be quantized.
func isMatrix(t *testing.T, config []byte) func(name string) bool {
	t.Helper()
	roles := rolesOf(t, config)
	return func(name string) bool {
		role, asked := roles[name]
		return asked && role == Matrix
	}
}

// rolesOf are the roles of all tensors that a model of a config asks for.
func rolesOf(t *testing.T, config []byte) map[string]Role {
	t.Helper()
	c, err := ParseConfig("config.json", config)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := Tensors(c)
	if err != nil {
		t.Fatal(err)
	}
	roles := map[string]Role{}
	for _, one := range asked {
		roles[one.Name] = one.Role
	}
	return roles
}

// contents are a model's weights on the device, buffer by buffer.
func contents(t *testing.T, m *Model) [][]byte {
	t.Helper()
	var all [][]byte
	for _, b := range m.Weights() {
		data := make([]byte, b.Size())
		if err := m.VK().Download(data, b.Whole()); err != nil {
			t.Fatal(err)
		}
		all = append(all, data)
	}
	return all
}

// TestQuantizedWeights: a quantized file puts the same bits on the device as its source that is quantized
// when it is loaded.
func TestQuantizedWeights(t *testing.T) {
	for _, name := range []string{"mamba-tiny", "mamba-odd-bf16", "memmamba-priority", "neox-parallel"} {
		dir := filepath.Join(goldenDir, name)
		source, file := contents(t, openModel(t, dir, Options{Quantize: "q8_0"})), contents(t, openModel(t, quantized(t, dir), Options{}))
		if len(source) == 0 || len(source) != len(file) {
			t.Fatalf("%s: %d buffers, and %d from the file", name, len(source), len(file))
		}
		for i, want := range source {
			if !bytes.Equal(file[i], want) {
				t.Errorf("%s: buffer %d of %d bytes differs from %d bytes", name, i, len(file[i]), len(want))
			}
		}
		plain := contents(t, openModel(t, dir, Options{}))
		if len(plain[0]) <= len(source[0]) {
			t.Errorf("%s: the embeddings take %d bytes, quantized %d", name, len(plain[0]), len(source[0]))
		}
	}
}

// TestQuantizedGolden holds quantized models to the reference, which computes with the numbers that the
// quantized weights stand for: loaded from a quantized file, and quantized when loaded.
func TestQuantizedGolden(t *testing.T) {
	for _, dir := range goldens(t) {
		name := filepath.Base(dir)
		if strings.HasPrefix(name, "neox-") {
			continue // see TestQuantizedTransformer
		}
		t.Run(name, func(t *testing.T) {
			g, file := readGolden(t, dir), quantized(t, dir)
			reference, err := refmodel.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			want := reference.Run(g.tokens)
			for _, chunk := range []int{1, 64} {
				m := openModel(t, file, Options{Chunk: chunk})
				compareRun(t, m, newState(t, m), g.tokens, want)
			}
			m := openModel(t, dir, Options{Chunk: 7, Quantize: "q8_0"})
			compareRun(t, m, newState(t, m), g.tokens, want)
			unlike(t, want, g)
		})
	}
}

// unlike fails the test if the quantized model's logits are those of the model it came from.
func unlike(t *testing.T, got refmodel.Result, g golden) {
	t.Helper()
	var most float64
	for i, row := range got.Logits {
		for j, v := range row {
			most = max(most, math.Abs(v-float64(g.logits[i*len(row)+j])))
		}
	}
	t.Logf("quantizing moves a logit by at most %.3g", most)
	if most < tolerance {
		t.Error("quantizing changed nothing")
	}
}

// TestQuantizedRandom is TestRandom of quantized models: every kind and odd shape.
func TestQuantizedRandom(t *testing.T) {
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 8))
		c, how := randomConfig(rng, seed)
		t.Run(fmt.Sprintf("%d/%s", seed, c.ModelType), func(t *testing.T) {
			tokens := refmodel.RandomTokens(c, seed, 20+rng.IntN(60))
			for how.Seed = seed * 100; ; how.Seed++ {
				if how.Seed == seed*100+50 {
					t.Fatal("no seed separates the decisions of the quantized model")
				}
				dir := t.TempDir()
				if err := refmodel.WriteRandom(dir, c, how); err != nil {
					t.Fatal(err)
				}
				file := quantized(t, dir)
				reference, err := refmodel.Load(file)
				if err != nil {
					t.Fatal(err)
				}
				want, separated := reference.RunSeparated(tokens, apart)
				if !separated {
					continue
				}
				m, other := openModel(t, dir, Options{Chunk: 1 + rng.IntN(80), Quantize: "q8_0"}), openModel(t, file, Options{Chunk: 1 + rng.IntN(80)})
				compareRun(t, m, newState(t, m), tokens, want)
				compareRun(t, other, newState(t, other), tokens, want)
				return
			}
		})
	}
}

// TestQuantizedStates: a state fits the model it came from, and not that model quantized.
func TestQuantizedStates(t *testing.T) {
	dir := filepath.Join(goldenDir, "memmamba-fifo")
	models := []*Model{
		openModel(t, dir, Options{Chunk: 16}), openModel(t, dir, Options{Chunk: 16, Quantize: "q8_0"}), openModel(t, quantized(t, dir), Options{Chunk: 16}),
	}
	for i, from := range models {
		s := newState(t, from)
		if _, err := from.Forward(t.Context(), s, []int32{1, 2, 3}); err != nil {
			t.Fatal(err)
		}
		data, err := s.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		for j, to := range models {
			err := newState(t, to).UnmarshalBinary(data)
			if i == j && err != nil || i != j && (err == nil || !strings.Contains(err.Error(), "of another model")) {
				t.Errorf("state of model %d in model %d: %v", i, j, err)
			}
		}
	}
	if again := openModel(t, quantized(t, dir), Options{Quantize: "q8_0"}); again.Fingerprint() != models[2].Fingerprint() || again.Quantization() != "q8_0" {
		t.Error("to quantize what is quantized makes another model of it")
	}
}

// TestQuantizedDamage: what is wrong with a quantized file is said in a line that names the tensor.
func TestQuantizedDamage(t *testing.T) {
	const name = "backbone.layers.1.mixer.x_proj.weight"
	replace := func(name string, with func(safetensors.Out) []safetensors.Out) func([]safetensors.Out) []safetensors.Out {
		return func(all []safetensors.Out) (out []safetensors.Out) {
			for _, one := range all {
				if one.Name == name {
					out = append(out, with(one)...)
				} else {
					out = append(out, one)
				}
			}
			return out
		}
	}
	zeros := func(d safetensors.DType, shape ...int) func(safetensors.Out) []safetensors.Out {
		return func(o safetensors.Out) []safetensors.Out {
			return []safetensors.Out{safetensors.OfBytes(o.Name, d, shape, make([]byte, d.Size()*shape[0]*shape[1]))}
		}
	}
	infinite := func(o safetensors.Out) []safetensors.Out {
		numbers := make([]float32, o.Shape[0]*o.Shape[1])
		numbers[len(numbers)-1] = float32(math.Inf(1))
		return []safetensors.Out{safetensors.OfFloat32(o.Name, o.DType, o.Shape, numbers)}
	}
	dir := filepath.Join(goldenDir, "mamba-tiny") // x_proj is [36, 128]
	for says, spoil := range map[string]func([]safetensors.Out) []safetensors.Out{
		"tensor " + name + "_scale is missing":      replace(name+"_scale", func(safetensors.Out) []safetensors.Out { return nil }),
		"tensor " + name + "_scale: shape [36 3]":   replace(name+"_scale", zeros(safetensors.F16, 36, 3)),
		"tensor " + name + "_scale: type F32":       replace(name+"_scale", zeros(safetensors.F32, 36, 4)),
		"tensor " + name + ": scale 3 of a row is":  replace(name+"_scale", infinite),
		"tensor " + name + ": F32 of shape [36 128": replace(name, zeros(safetensors.F32, 36, 128)),
		"tensor " + name + ": shape [36 127]":       replace(name, zeros(safetensors.I8, 36, 127)),
		"D: type I8 (F32, F16": replace("backbone.layers.1.mixer.D", func(o safetensors.Out) []safetensors.Out {
			return []safetensors.Out{safetensors.OfBytes(o.Name, safetensors.I8, o.Shape, make([]byte, o.Shape[0]))}
		}),
	} {
		file := quantized(t, dir, spoil)
		if _, err := openDir(file, Options{}); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

// TestQuantizedConfig: config.json and the tensors must agree.
func TestQuantizedConfig(t *testing.T) {
	dir := filepath.Join(goldenDir, "mamba-tiny")
	for says, change := range map[string][2]string{
		"backbone.embeddings.weight: type I8, but config.json has no quantization_config": {`"quantization_config"`, `"other"`},
		`quantization_config: quant_method "gptq" is not supported`:                       {`"q8_0"`, `"gptq"`},
		"quantization_config: block_size 64 is not supported":                             {`"block_size": 32`, `"block_size": 64`},
		"block_size: a string where a whole number is expected":                           {`"block_size": 32`, `"block_size": "32"`},
	} {
		file := quantized(t, dir)
		path := filepath.Join(file, "config.json")
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, []byte(strings.Replace(string(data), change[0], change[1], 1)), 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := openDir(file, Options{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	if _, err := openDir(dir, Options{Quantize: "q4_0"}); err == nil || !strings.Contains(err.Error(), `quantization "q4_0" is not known`) {
		t.Errorf("%v", err)
	}
}

// TestQuantizedSource: weights that have no scale are refused when they are quantized, naming the tensor.
func TestQuantizedSource(t *testing.T) {
	dir := t.TempDir()
	c := refmodel.Default(refmodel.Mamba)
	c.Vocab, c.Hidden, c.Layers = 16, 16, 1
	if err := refmodel.WriteRandom(dir, c, refmodel.Random{}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "model.safetensors")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files, err := safetensors.Parse(path, data)
	if err != nil {
		t.Fatal(err)
	}
	const name = "backbone.layers.0.mixer.out_proj.weight"
	tensor, _ := files.Tensor(name)
	copy(tensor.Data[4*40:], []byte{0, 0, 0xc0, 0x7f}) // a NaN in row 1 of 32, column 8
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	want := "model " + dir + ": tensor " + name + ": column 8 is NaN"
	if _, err := openDir(dir, Options{Quantize: "q8_0"}); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}
