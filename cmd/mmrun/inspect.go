package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/memmamba"
	"github.com/mmrun/mmrun/quant"
	"github.com/mmrun/mmrun/vk"
)

func inspectCommand() *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Category:  groupCheck,
		Usage:     "show a model's architecture, memory settings, tensors and memory needs",
		UsageText: "mmrun inspect [--model DIR] [--quantize TYPE] [--chunk N] [--json]",
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
	Model         string                      `json:"model"`
	Architecture  architecture                `json:"architecture"`
	Quantization  string                      `json:"quantization,omitempty"` // of the matrices, in the file
	Memory        *memmamba.MemoryConfig      `json:"memory,omitempty"`
	Transformer   *memmamba.TransformerConfig `json:"transformer,omitempty"`
	Parameters    int64                       `json:"parameters"`
	WeightBytes   int64                       `json:"weight_bytes"`
	StateBytes    stateSizes                  `json:"state_bytes"`
	Device        *string                     `json:"device"` // null when nothing could be measured
	DeviceMemory  *memoryReport               `json:"device_memory"`
	NotMeasured   string                      `json:"not_measured,omitempty"`
	Tensors       []tensorReport              `json:"tensors"`
	tensorsOfType map[string]int
	quantization  *quant.Format
}

type architecture struct {
	ModelType  string  `json:"model_type"`
	Layers     int     `json:"num_hidden_layers"`
	Hidden     int     `json:"hidden_size"`
	Inner      int     `json:"intermediate_size"`
	State      int     `json:"state_size,omitempty"` // of a state space alone, as the next two
	Kernel     int     `json:"conv_kernel,omitempty"`
	Rank       int     `json:"time_step_rank,omitempty"`
	Vocabulary int     `json:"vocab_size"`
	Tied       bool    `json:"tie_word_embeddings"`
	EOS        []int32 `json:"eos_token_id"`
}

// stateSizes are the parts of a sequence's state.
type stateSizes struct {
	Conv    int64 `json:"conv"`
	H       int64 `json:"h"`
	Pools   int64 `json:"pools"`
	Pending int64 `json:"pending_notes"`
	Token   int64 `json:"per_token,omitempty"` // keys and values of a Transformer
	Total   int64 `json:"total"`               // of a Transformer with as many tokens as it takes
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
	in := inspect(src.name, cfg, tensors)
	if err := in.measure(c, src); err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, in)
	}
	return printText(c, in.text(c.Int("chunk")))
}

// inspect looks at the files alone.
func inspect(name string, cfg memmamba.Config, tensors *checkpoint.Tensors) *inspection {
	in := &inspection{
		Model: name,
		Architecture: architecture{cfg.ModelType, cfg.NumHiddenLayers, cfg.HiddenSize, cfg.IntermediateSize, cfg.StateSize,
			cfg.ConvKernel, int(cfg.TimeStepRank), cfg.VocabSize, cfg.TieWordEmbeddings, cfg.EOS},
		Memory: cfg.Memory, Transformer: cfg.Transformer, StateBytes: stateSizesOf(cfg), tensorsOfType: map[string]int{},
	}
	if in.quantization = tensors.Quantized(); in.quantization != nil {
		in.Quantization = in.quantization.Name
	}
	for _, name := range slices.SortedFunc(slices.Values(tensors.Names()), byLayer) {
		t, _ := tensors.Tensor(name)
		if memmamba.IsBuffer(name) {
			continue
		}
		in.Tensors = append(in.Tensors, tensorReport{name, t.Type, t.Shape})
		in.Parameters += int64(t.Len())
		in.WeightBytes += t.Size
		in.tensorsOfType[t.Type]++
	}
	return in
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

func stateSizesOf(cfg memmamba.Config) stateSizes {
	const float = 4
	if t := cfg.Transformer; t != nil {
		token := 2 * float * int64(cfg.NumHiddenLayers) * int64(cfg.HiddenSize)
		return stateSizes{Token: token, Total: token * int64(t.MaxPositions)}
	}
	layers, inner := int64(cfg.NumHiddenLayers), int64(cfg.IntermediateSize)
	s := stateSizes{
		Conv: float * layers * inner * int64(cfg.ConvKernel-1),
		H:    float * layers * inner * int64(cfg.StateSize),
	}
	if m := cfg.Memory; m != nil {
		note := float * int64(m.SummaryDim+2) // its summary, importance and position
		s.Pools = layers * int64(m.PoolSize) * note
		s.Pending = layers * int64(m.Window) * note
	}
	s.Total = s.Conv + s.H + s.Pools + s.Pending
	return s
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
	if q := in.quantization; q != nil {
		lines = append(lines, fmt.Sprintf("quantized     %s, blocks of %d weights", q, q.Weights))
	}
	if m := in.Memory; m != nil {
		lines = append(lines,
			fmt.Sprintf("memory        pool P %d, summary S %d, window W %d, notes above τ1 %g, reads above τ2 %g", m.PoolSize, m.SummaryDim,
				m.Window, m.NoteThreshold, m.StateThreshold),
			fmt.Sprintf("              cross-layer attention every p %d layers, %s pooling, %s replacement, %s fusion", m.Period, m.Pooling,
				m.Replacement, m.Fusion))
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
	a := in.Architecture
	line := fmt.Sprintf("%s: %d layers, d %d, E %d", a.ModelType, a.Layers, a.Hidden, a.Inner)
	if t := in.Transformer; t != nil {
		line += fmt.Sprintf(", %d heads, %g of each turned, attention %s", t.Heads, t.RotaryShare,
			map[bool]string{true: "and MLP side by side", false: "before MLP"}[t.Parallel])
	} else {
		line += fmt.Sprintf(", N %d, K %d, R %d", a.State, a.Kernel, a.Rank)
	}
	return line + fmt.Sprintf(", vocabulary %d, %s head", a.Vocabulary, map[bool]string{true: "tied", false: "separate"}[a.Tied])
}

// state is a line about what a sequence carries.
func (in *inspection) state() string {
	s := in.StateBytes
	if t := in.Transformer; t != nil {
		return fmt.Sprintf("keys and values, %s a token; %s for %d tokens, the most", formatBytes(s.Token), formatBytes(s.Total), t.MaxPositions)
	}
	line := fmt.Sprintf("%s: convolutions %s, h %s", formatBytes(s.Total), formatBytes(s.Conv), formatBytes(s.H))
	if in.Memory != nil {
		line += fmt.Sprintf(", pools %s, pending notes %s", formatBytes(s.Pools), formatBytes(s.Pending))
	}
	return line
}
