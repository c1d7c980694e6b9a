package memmamba

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/checkpoint/gguf"
	_ "github.com/mmrun/mmrun/checkpoint/safetensors"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/quant"
)

// asGGUF is a model of a folder as a GGUF file has it.
func asGGUF(t *testing.T, c *Config, tensors *checkpoint.Tensors) []byte {
	t.Helper()
	mixer, arch := c.ModelType, c.ModelType
	if c.Memory != nil {
		mixer = c.Memory.MixerType
	} else if arch == "falcon_mamba" {
		arch = "mamba"
	}
	var outs []gguf.Out
	for _, name := range tensors.Names() {
		x, _ := tensors.Tensor(name)
		outs = append(outs, outOf(t, x, mixer))
	}
	var file bytes.Buffer
	if err := gguf.Encode(&file, entriesOf(t, c, arch, mixer), outs); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// entriesOf are the metadata of a model.
func entriesOf(t *testing.T, c *Config, arch, mixer string) []gguf.Entry {
	t.Helper()
	E, N := c.Mixer.Inner()
	all := []gguf.Entry{{Key: "general.architecture", Value: arch}}
	add := func(key string, v any) { all = append(all, gguf.Entry{Key: arch + "." + key, Value: v}) }
	size := func(key string, n int) { add(key, uint32(n)) }
	size("embedding_length", c.HiddenSize)
	size("block_count", c.NumHiddenLayers)
	size("ssm.inner_size", E)
	size("ssm.state_size", N)
	add("attention.layer_norm_rms_epsilon", float32(c.Epsilon))
	switch m := c.Mixer.(type) {
	case *Mamba:
		size("ssm.conv_kernel", m.ConvKernel)
		size("ssm.time_step_rank", int(m.TimeStepRank))
		add("ssm.dt_b_c_rms", mixer == "falcon_mamba")
		add("ssm.dt_b_c_rms_epsilon", float32(m.MixerRMSEps))
	case *Mamba2:
		size("ssm.conv_kernel", m.ConvKernel)
		size("ssm.time_step_rank", m.Heads)
		size("ssm.group_count", m.Groups)
		size("ssm.norm_groups", m.NormGroups)
		add("ssm.time_step_limit", []float32{float32(m.Limit[0]), float32(m.Limit[1])})
	}
	if c.Memory == nil {
		return all
	}
	add("mixer_type", mixer)
	var memory map[string]any
	data, err := json.Marshal(c.Memory)
	if err = errors.Join(err, json.Unmarshal(data, &memory)); err != nil {
		t.Fatal(err)
	}
	for key, from := range ggufMemory {
		switch v := memory[from].(type) {
		case float64:
			if strings.HasSuffix(key, "threshold") {
				add(key, float32(v))
			} else {
				size(key, int(v))
			}
		case string:
			add(key, v)
		}
	}
	return all
}

// outOf is a tensor by the name and with the shape and the numbers that GGUF has.
func outOf(t *testing.T, x checkpoint.Tensor, mixer string) gguf.Out {
	t.Helper()
	name, shape := ggufOf(x.Name, mixer), slices.Clone(x.Shape)
	_, last, _ := gguf.Layer(name)
	numbers, err := x.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	out := gguf.Out{Name: name, Format: x.Format, Shape: shape}
	switch last {
	case "ssm_conv1d.weight":
		out.Shape = []int{shape[0], shape[2]}
	case "ssm_a":
		out.Format = quant.F32
		for i, log := range numbers {
			numbers[i] = -float32(math.Exp(float64(log)))
		}
	}
	if mixer == "mamba2" && (last == "ssm_a" || last == "ssm_d") {
		out.Shape = []int{shape[0], 1}
	}
	out.Write = func(w io.Writer) error {
		data := make([]byte, out.Format.RowBytes(len(numbers)))
		if err := out.Format.Quantize(data, numbers); err != nil {
			return err
		}
		_, err := w.Write(data)
		return err
	}
	return out
}

// ggufOf is what a GGUF file calls a tensor.
func ggufOf(name, mixer string) string {
	for from, to := range ggufEnds {
		if to == name {
			return from
		}
	}
	parts := strings.SplitN(name, ".", 4) // backbone.layers.N.
	for _, table := range []map[string]gguf.Naming{ggufOfHeads, ggufLayer} {
		for from, to := range table {
			if to.Name == parts[3] {
				return "blk." + parts[2] + "." + from
			}
		}
	}
	for _, part := range ggufParts {
		if end, ok := strings.CutPrefix(parts[3], part[1]); ok {
			return "blk." + parts[2] + "." + part[0] + end
		}
	}
	return name
}

// TestGGUF: a model of every kind that was written as GGUF has the same config and the same tensors.
func TestGGUF(t *testing.T) {
	for _, name := range []string{"mamba-tiny", "mamba-odd-bf16", "falcon-tiny", "mamba2-groups-bf16", "mamba2-tiny", "memmamba-fifo", "memmamba-priority",
		"memmamba-growing", "memmamba-triggered", "memmamba-over-mamba2"} {
		t.Run(name, func(t *testing.T) {
			folder, err := checkpoint.Open("../testdata/golden/" + name)
			if err != nil {
				t.Fatal(err)
			}
			defer folder.Close()
			want, wantTensors := read(t, folder)
			file, err := checkpoint.OpenFS("m", fstest.MapFS{"m.gguf": {Data: asGGUF(t, want, wantTensors)}})
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			got, gotTensors := read(t, file)
			if class := classOf(t, file); class != classOf(t, folder) {
				t.Errorf("architectures %q, want %q", class, classOf(t, folder))
			}
			want.BOS, want.EOS, got.BOS, got.EOS = nil, nil, nil, nil // there is no tokenizer
			if !reflect.DeepEqual(got, want) {
				a, _ := json.Marshal(got)
				b, _ := json.Marshal(want)
				t.Errorf("got  %s\nwant %s", a, b)
			}
			sameTensors(t, gotTensors, wantTensors)
		})
	}
}

// classOf is the first of the architectures of a config.json.
func classOf(t *testing.T, src checkpoint.Source) string {
	t.Helper()
	var c struct {
		Architectures [1]string `json:"architectures"`
	}
	data, err := src.Config()
	if err = errors.Join(err, json.Unmarshal(data, &c)); err != nil {
		t.Fatal(err)
	}
	return c.Architectures[0]
}

func read(t *testing.T, src checkpoint.Source) (*Config, *checkpoint.Tensors) {
	t.Helper()
	data, err := src.Config()
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := engine.ParseConfig(src.Path("config.json"), data)
	if err != nil {
		t.Fatal(err)
	}
	tensors, err := src.Tensors()
	if err != nil {
		t.Fatal(err)
	}
	return cfg.(*Config), tensors
}

func sameTensors(t *testing.T, got, want *checkpoint.Tensors) {
	t.Helper()
	if !slices.Equal(got.Names(), want.Names()) {
		t.Fatalf("got  %v\nwant %v", got.Names(), want.Names())
	}
	for _, name := range want.Names() {
		a, _ := got.Tensor(name)
		b, _ := want.Tensor(name)
		x, err := a.Float32s()
		y, err2 := b.Float32s()
		if err = errors.Join(err, err2); err != nil || !slices.Equal(a.Shape, b.Shape) {
			t.Fatalf("tensor %s: %v and %v (%v)", name, a.Shape, b.Shape, err)
		}
		for i := range y {
			if d := math.Abs(float64(x[i] - y[i])); d > 1e-6 || d > 0 && !strings.HasSuffix(name, "A_log") {
				t.Fatalf("tensor %s: %g at %d, want %g", name, x[i], i, y[i])
			}
		}
	}
}
