// Command randmodel writes a model directory with random weights: for tests of speed and memory,
// and of models larger than those in testdata. The weights are drawn while they are written.
//
//	randmodel --shape 130m --type memmamba --dtype bf16 --out DIR
//	randmodel --type gpt_neox --layers 6 --hidden 512 --out DIR
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mmrun/mmrun/checkpoint/safetensors"
	"github.com/mmrun/mmrun/internal/refmodel"
)

// shapes are those of the published checkpoints state-spaces/mamba-130m to mamba-2.8b: layers, d.
var shapes = map[string][2]int{
	"130m": {24, 768}, "370m": {48, 1024}, "790m": {48, 1536}, "1.4b": {48, 2048}, "2.8b": {64, 2560},
}

func main() {
	err := run(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "randmodel:", err)
		os.Exit(1)
	}
}

// options is a parsed command line.
type options struct {
	config         refmodel.Config
	transformer    *refmodel.Transformer // in place of config
	random         refmodel.Random
	out, tokenizer string
}

func run(args []string, usage io.Writer) error {
	o, err := parse(args, usage)
	if err != nil {
		return err
	}
	if o.transformer != nil {
		err = refmodel.WriteRandomTransformer(o.out, *o.transformer, o.random)
	} else {
		err = refmodel.WriteRandom(o.out, o.config, o.random)
	}
	if err != nil {
		return err
	}
	if o.tokenizer == "" {
		return nil
	}
	return copyFile(filepath.Join(o.out, "tokenizer.json"), o.tokenizer)
}

// parse reads the command line: a shape, changed by each flag that is given.
func parse(args []string, usage io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("randmodel", flag.ContinueOnError)
	f.SetOutput(usage)
	shape := f.String("shape", "130m", "130m, 370m, 790m, 1.4b or 2.8b: layers and hidden size")
	kind := f.String("type", refmodel.Mamba, "mamba, falcon_mamba, mamba2, memmamba or gpt_neox")
	dtype := f.String("dtype", "f32", "f32, f16 or bf16")
	f.StringVar(&o.out, "out", "", "the model directory to write (required)")
	f.Uint64Var(&o.random.Seed, "seed", 0, "the same seed gives the same weights")
	f.Int64Var(&o.random.Shard, "shard", 0, "at most `N` bytes a file, 0 for one file")
	f.StringVar(&o.tokenizer, "tokenizer", "", "a tokenizer.json to copy in")
	o.config = refmodel.Default(refmodel.MemMamba) // holds every flag, whatever the type will be
	o.config.Layers, o.config.Hidden = 0, 0
	sizeFlags(f, &o.config)
	memoryFlags(f, o.config.Memory)
	heads := refmodel.Heads{HeadDim: 64, Groups: 1, Norm: true, Limit: refmodel.Limit{0, math.Inf(1)}}
	headFlags(f, &heads)
	transformer := refmodel.DefaultTransformer()
	transformerFlags(f, &transformer)
	if err := f.Parse(args); err != nil {
		return o, err
	}
	size, ok := shapes[*shape]
	d, err := safetensors.ParseDType(strings.ToUpper(*dtype))
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.out == "":
		return o, errors.New("--out is missing")
	case !ok:
		return o, fmt.Errorf("--shape %q is not known", *shape)
	case err != nil || !slices.Contains([]safetensors.DType{safetensors.F32, safetensors.F16, safetensors.BF16}, d):
		return o, fmt.Errorf("--dtype %q is not f32, f16 or bf16", *dtype)
	}
	o.random.DType = d
	o.config.ModelType = *kind
	o.config.Layers = cmp.Or(o.config.Layers, size[0])
	o.config.Hidden = cmp.Or(o.config.Hidden, size[1])
	if *kind == refmodel.GPTNeoX {
		o.transformer = &transformer
		transformer.Layers, transformer.Hidden, transformer.Inner = o.config.Layers, o.config.Hidden, o.config.Inner
		f.Visit(func(g *flag.Flag) { // where the defaults differ
			switch g.Name {
			case "vocab":
				transformer.Vocab = o.config.Vocab
			case "tied":
				transformer.Tied = o.config.Tied
			}
		})
	}
	if *kind != refmodel.MemMamba {
		o.config.Memory = nil
	}
	if *kind == refmodel.Mamba2 {
		o.config.Heads = withHeads(f, &o.config, heads)
	}
	return o, stray(f, *kind)
}

// withHeads fills in what Mamba-2 has by its sizes: heads of all of E, and states of 128.
func withHeads(f *flag.FlagSet, c *refmodel.Config, h refmodel.Heads) *refmodel.Heads {
	h.Heads = int(c.Expand*float64(c.Hidden)) / h.HeadDim
	given := false
	f.Visit(func(g *flag.Flag) { given = given || g.Name == "state" })
	if !given {
		c.State = 128
	}
	return &h
}

func headFlags(f *flag.FlagSet, h *refmodel.Heads) {
	const usage = refmodel.Mamba2 + ": "
	f.IntVar(&h.HeadDim, "head-dim", h.HeadDim, usage+"channels of a head")
	f.IntVar(&h.Groups, "groups", h.Groups, usage+"groups of heads that share B and C")
}

// stray refuses a flag of another type of model.
func stray(f *flag.FlagSet, kind string) (err error) {
	f.Visit(func(g *flag.Flag) {
		for _, only := range []string{refmodel.MemMamba, refmodel.Mamba2, refmodel.GPTNeoX} {
			if strings.HasPrefix(g.Usage, only+": ") && kind != only {
				err = fmt.Errorf("--%s is for --type %s, not %s", g.Name, only, kind)
			}
		}
		if strings.HasPrefix(g.Usage, stateUsage) && kind == refmodel.GPTNeoX {
			err = fmt.Errorf("--%s is not for --type %s", g.Name, kind)
		}
	})
	return err
}

func sizeFlags(f *flag.FlagSet, c *refmodel.Config) {
	f.IntVar(&c.Vocab, "vocab", c.Vocab, "vocabulary")
	f.IntVar(&c.Layers, "layers", 0, "layers instead of the shape's")
	f.IntVar(&c.Hidden, "hidden", 0, "hidden size d instead of the shape's")
	f.IntVar(&c.Inner, "inner", 0, "inner size E (default expand·d, of gpt_neox 4·d)")
	f.Float64Var(&c.Expand, "expand", c.Expand, stateUsage+"expansion")
	f.IntVar(&c.State, "state", c.State, stateUsage+"state size N")
	f.IntVar(&c.Kernel, "kernel", c.Kernel, stateUsage+"convolution taps K")
	f.IntVar((*int)(&c.Rank), "rank", 0, stateUsage+"time-step rank R (default d/16, rounded up)")
	f.BoolVar(&c.Bias, "bias", c.Bias, stateUsage+"biases of in_proj and out_proj")
	f.BoolVar(&c.ConvBias, "conv-bias", c.ConvBias, stateUsage+"bias of the convolution")
	f.BoolVar(&c.Tied, "tied", c.Tied, "the head is the embedding (default of gpt_neox: it is not)")
}

func transformerFlags(f *flag.FlagSet, c *refmodel.Transformer) {
	const usage = refmodel.GPTNeoX + ": "
	f.IntVar(&c.Heads, "heads", 0, usage+"heads (default heads of 64, or one)")
	f.IntVar(&c.Positions, "positions", c.Positions, usage+"tokens of a sequence at the most")
	f.Float64Var(&c.Rotary, "rotary", c.Rotary, usage+"share of a head that is turned")
	f.BoolVar(&c.Parallel, "parallel", c.Parallel, usage+"attention and MLP side by side")
	f.BoolVar(&c.AttentionBias, "attention-bias", c.AttentionBias, usage+"biases in the attention")
}

// What marks the flags of some types of models only: of those with a memory, and with a state space.
const memoryUsage, stateUsage = refmodel.MemMamba + ": ", "not gpt_neox: "

func memoryFlags(f *flag.FlagSet, m *refmodel.Memory) {
	f.IntVar(&m.Summary, "summary", m.Summary, memoryUsage+"summary size S")
	f.IntVar(&m.Pool, "pool", m.Pool, memoryUsage+"pool size P in notes")
	f.IntVar(&m.Growth, "pool-growth", m.Growth, memoryUsage+"g, by which a pool grows whenever windows have doubled")
	f.IntVar(&m.Most, "pool-max", m.Most, memoryUsage+"notes to which a pool grows (default P)")
	f.IntVar(&m.Window, "window", m.Window, memoryUsage+"window W in tokens")
	f.IntVar(&m.Period, "period", m.Period, memoryUsage+"cross-layer period p in layers")
	f.Float64Var(&m.NoteThreshold, "note-threshold", m.NoteThreshold, memoryUsage+"τ1")
	f.Float64Var(&m.StateThreshold, "state-threshold", m.StateThreshold, memoryUsage+"τ2")
	f.StringVar(&m.Replacement, "replacement", m.Replacement, memoryUsage+"fifo or priority")
	f.StringVar(&m.Pooling, "pooling", m.Pooling, memoryUsage+"concat, mean or max")
	f.StringVar(&m.Trigger, "trigger", m.Trigger, memoryUsage+"of cross-layer attention: period or state")
	f.Float64Var(&m.LayerThreshold, "trigger-threshold", m.LayerThreshold, memoryUsage+"τ3")
	f.StringVar(&m.Fusion, "fusion", m.Fusion, memoryUsage+"residual or gated")
}

// copyFile writes a copy under a temporary name and renames it.
func copyFile(to, from string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	temp := to + ".tmp"
	if err := os.WriteFile(temp, data, 0o666); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return os.Rename(temp, to)
}
