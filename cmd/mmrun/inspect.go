package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/quant"
	"github.com/mmrun/mmrun/vk"
)

func inspectCommand() *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Category:  groupCheck,
		Usage:     "show a model's architecture, memory settings, tensors and memory needs",
		UsageText: "mmrun inspect [--model PATH] [--quantize TYPE] [--chunk N] [--json]",
		Description: `Parameters, tensors and their sizes are those of the files; what the device takes for them is measured by loading the model, and left out when there is no device or it does not fit. The state is what one sequence carries, however long it gets; a Transformer's grows with every token. Masks and other buffers that older GPT-NeoX checkpoints keep are left out.

Examples:
mmrun inspect --model ~/models/mamba-130m
mmrun inspect --chunk 64
mmrun inspect --model memmamba --json | jq .memory`,
		Flags:  append(engineFlags(), jsonFlag("print one JSON object instead of text")),
		Action: inspectAction,
	}
}

// inspection is what --json prints; sizes are in bytes.
type inspection struct {
	Model         string         `json:"model"`
	Architecture  ordered        `json:"architecture"`
	Quantization  string         `json:"quantization,omitempty"` // of the matrices, in the file
	Generation    ordered        `json:"generation,omitempty"`   // what generation_config.json says
	Widened       engine.Widened `json:"widened,omitempty"`      // matrices, by their types in the file
	Sections      ordered        `json:"-"`                      // under keys of their own
	Parameters    int64          `json:"parameters"`
	WeightBytes   int64          `json:"weight_bytes"`
	StateBytes    ordered        `json:"state_bytes"`
	Device        *string        `json:"device"` // null when nothing could be measured
	DeviceMemory  *memoryReport  `json:"device_memory"`
	NotMeasured   string         `json:"not_measured,omitempty"`
	Tensors       []tensorReport `json:"tensors"`
	sizes         engine.Sizes
	described     engine.Description
	tensorsOfType map[string]int
}

// ordered is a JSON object whose keys keep their order.
type ordered []field

type field struct {
	key   string
	value any
}

// MarshalJSON writes the fields one after the other.
func (o ordered) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, f := range o {
		value, err := json.Marshal(f.value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(strconv.AppendQuote(out, f.key), ':'), value...)
	}
	return append(out, '}'), nil
}

// MarshalJSON writes the sections among the other fields.
func (in *inspection) MarshalJSON() ([]byte, error) {
	type plain inspection
	data, err := json.Marshal((*plain)(in))
	if err != nil || len(in.Sections) == 0 {
		return data, err
	}
	sections, err := json.Marshal(in.Sections)
	if err != nil {
		return nil, err
	}
	return slices.Concat(data[:len(data)-1], []byte{','}, sections[1:]), nil
}

type tensorReport struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
}

func inspectAction(c *cli.Context) error {
	if err := cmp.Or(noArguments(c), checkEngineFlags(c)); err != nil {
		return err
	}
	src, err := sourceOf(c)
	if err != nil {
		return err
	}
	cfg, err := src.config()
	if err != nil {
		return err
	}
	tensors, closing, err := src.weights()
	if err != nil {
		return err
	}
	defer closing()
	in, err := inspect(src.Name(), cfg, tensors)
	if err != nil {
		return fmt.Errorf("%s: %w", src.Name(), err)
	}
	generation, err := engine.ReadGeneration(src)
	if err != nil {
		return err
	}
	in.Generation = said(generation)
	if err := in.measure(c, src); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, in)
	}
	return printText(c, in.text(c.Int("chunk")))
}

// inspect looks at the files alone.
func inspect(name string, cfg engine.Config, tensors *checkpoint.Tensors) (*inspection, error) {
	asked, err := engine.Tensors(cfg)
	if err != nil {
		return nil, err
	}
	in := &inspection{Model: name, sizes: cfg.Sizes(), tensorsOfType: map[string]int{}}
	if d, ok := cfg.(engine.Described); ok {
		in.described = d.Describe()
	}
	in.describe()
	if q := tensors.Quantized(); q != nil {
		in.Quantization = q.Name
	}
	if in.Widened, err = engine.WidenedOf(cfg, tensors); err != nil {
		return nil, err
	}
	for _, name := range slices.SortedFunc(slices.Values(tensors.Names()), byLayer) {
		t, _ := tensors.Tensor(name)
		if !slices.ContainsFunc(asked, func(a engine.Tensor) bool { return a.Name == name }) {
			continue // what older files keep that follows from the config
		}
		in.Tensors = append(in.Tensors, tensorReport{name, t.Type, t.Shape})
		in.Parameters += int64(t.Len())
		in.WeightBytes += t.Size
		in.tensorsOfType[t.Type]++
	}
	return in, nil
}

// said is what a generation_config.json says, nothing where it says nothing.
func said(g engine.Generation) (o ordered) {
	add := func(key string, value any) {
		if v := reflect.ValueOf(value); !v.IsNil() {
			o = append(o, field{key, reflect.Indirect(v).Interface()})
		}
	}
	add("temperature", g.Sampling.Temperature)
	add("top_k", g.Sampling.TopK)
	add("top_p", g.Sampling.TopP)
	add("min_p", g.Sampling.MinP)
	add("repetition_penalty", g.Sampling.RepeatPenalty)
	add("eos_token_id", g.EOS)
	return o
}

// words are the fields in a line.
func (o ordered) words() string {
	var words []string
	for _, f := range o {
		words = append(words, fmt.Sprintf("%s %v", f.key, f.value))
	}
	return strings.Join(words, ", ")
}

// describe fills in what the architecture says of itself.
func (in *inspection) describe() {
	s := in.sizes
	in.Architecture = ordered{{"model_type", s.ModelType}, {"num_hidden_layers", s.Layers}, {"hidden_size", s.Hidden}}
	for _, setting := range in.described.Settings {
		in.Architecture = append(in.Architecture, field{setting.Key, setting.Value})
	}
	in.Architecture = append(in.Architecture, field{"vocab_size", s.Vocab}, field{"eos_token_id", s.EOS})
	for _, section := range in.described.Sections {
		in.Sections = append(in.Sections, field{section.Key, section.Value})
	}
	total := int64(0)
	for _, part := range in.described.State {
		in.StateBytes = append(in.StateBytes, field{part.Key, part.Bytes})
		if part.Token { // with as many tokens as the model takes
			part.Bytes *= s.MaxTokens
		}
		total += part.Bytes
	}
	in.StateBytes = append(in.StateBytes, field{"total", total})
}

// byLayer compares names with numbers between points as numbers: layer 2 comes before layer 10.
func byLayer(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(a, b string) int {
		m, errA := strconv.Atoi(a)
		n, errB := strconv.Atoi(b)
		if errA == nil && errB == nil {
			return cmp.Compare(m, n)
		}
		return cmp.Compare(a, b)
	})
}

// measure loads the model to see what the device takes for it. That there is no device, or not
// enough of its memory, is an answer; that the model is broken is an error.
func (in *inspection) measure(c *cli.Context, src source) (err error) {
	e, err := openEngine(c, src)
	for _, known := range []error{vk.ErrNoDevice, vk.ErrNoLoader, vk.ErrOutOfMemory} {
		if errors.Is(err, known) {
			in.NotMeasured = err.Error()
			return nil
		}
	}
	if err != nil {
		return err
	}
	defer e.close(&err)
	device, use := e.Device().Name, e.memoryReport()
	in.Device, in.DeviceMemory = &device, &use
	return nil
}

func (in *inspection) text(chunk int) string {
	lines := []string{"model         " + in.Model, "architecture  " + in.architecture()}
	if q := quant.Lookup(in.Quantization); q != nil {
		lines = append(lines, fmt.Sprintf("quantized     %s, blocks of %d weights", q, q.Weights))
	}
	if len(in.Widened) > 0 {
		lines = append(lines, "widened       "+in.Widened.String())
	}
	if in.Generation != nil {
		lines = append(lines, "generation    "+in.Generation.words())
	}
	for _, section := range in.described.Sections {
		for i, line := range section.Lines {
			lines = append(lines, fmt.Sprintf("%-13s %s", map[bool]string{true: section.Key}[i == 0], line))
		}
	}
	var types []string
	for t, n := range in.tensorsOfType {
		types = append(types, fmt.Sprintf("%d %s", n, t))
	}
	slices.Sort(types)
	state := "state         " + in.state()
	lines = append(lines,
		fmt.Sprintf("parameters    %s, %s, in %d tensors (%s)", formatCount(in.Parameters), formatBytes(in.WeightBytes), len(in.Tensors), strings.Join(types, ", ")),
		state)
	if m := in.DeviceMemory; m != nil {
		lines = append(lines, fmt.Sprintf("needs         %s on %s: weights %s, a new state %s, activations %s with --chunk %d", formatBytes(m.Allocated), *in.Device,
			formatBytes(m.Weights), formatBytes(m.State), formatBytes(m.Activations), chunk))
	} else {
		lines = append(lines, "needs         not measured: "+in.NotMeasured)
	}
	t := newTable("tensor", "type", "shape")
	for _, tensor := range in.Tensors {
		t.add(tensor.Name, tensor.DType, fmt.Sprint(tensor.Shape))
	}
	return strings.Join(lines, "\n") + "\n\n" + t.String()
}

// architecture is a line about sizes.
func (in *inspection) architecture() string {
	s := in.sizes
	words := []string{fmt.Sprintf("%s: %d layers", s.ModelType, s.Layers), fmt.Sprintf("d %d", s.Hidden)}
	for _, setting := range in.described.Settings {
		if setting.Text != "" {
			words = append(words, setting.Text)
		}
	}
	return strings.Join(append(words, fmt.Sprintf("vocabulary %d", s.Vocab)), ", ")
}

// state is a line about what a sequence carries.
func (in *inspection) state() string {
	var words []string
	total := int64(0)
	for _, part := range in.described.State {
		if part.Token {
			return fmt.Sprintf("%s, %s a token; %s for %d tokens, the most", part.Text, formatBytes(part.Bytes), formatBytes(part.Bytes*in.sizes.MaxTokens), in.sizes.MaxTokens)
		}
		if part.Bytes > 0 {
			words = append(words, part.Text+" "+formatBytes(part.Bytes))
		}
		total += part.Bytes
	}
	return formatBytes(total) + ": " + strings.Join(words, ", ")
}
