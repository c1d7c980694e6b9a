package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/checkpoint/gguf"
	"github.com/mmrun/mmrun/checkpoint/safetensors"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/replace"
	"github.com/mmrun/mmrun/quant"
)

func quantizeCommand() *cli.Command {
	return &cli.Command{
		Name:      "quantize",
		Category:  groupRun,
		Usage:     "write a checkpoint with quantized weights",
		UsageText: "mmrun quantize [--model PATH] --to TYPE --out FILE.gguf|DIR",
		Description: `With an --out that ends with .gguf: writes a GGUF file that llama.cpp reads, quantized as its own quantizer does it. q4_k_m has the head in Q6_K (the embeddings, where they are the head) and all other matrices in Q4_K, q6_k and q8_0 all in one type. Rows that 256 does not divide get Q5_0 in place of Q4_K and Q8_0 in place of Q6_K, and F16 where 32 does not divide them either. Everything else is F32.

Otherwise, with q8_0: writes a checkpoint whose embeddings, head and linear layers are quantized; it loads faster than the one it came from and gives exactly what --quantize gives when that is loaded. SSM parameters, norms, convolutions, biases, and of a memory the scorers, gates, k_proj and v_proj stay as they are. The tokenizer and the other small files are copied. --out must not exist.

q8_0 is llama.cpp's: 32 neighbours in a row share an F16 scale d, which is their largest magnitude divided by 127, and a weight x is the whole number nearest to x/d. In model.safetensors a matrix X.weight [rows, cols] is I8, and X.weight_scale F16 [rows, cols by 32, rounded up]; these are compressed-tensors' names. config.json gets "quantization_config": {"quant_method": "q8_0", "block_size": 32}.

Examples:
mmrun quantize --model mamba-130m --to q4_k_m --out mamba-130m-Q4_K_M.gguf
mmrun quantize --model mamba-130m --to q8_0 --out mamba-130m-q8
mmrun logits --model mamba-130m --tokens-file ids --out f16.safetensors && mmrun verify --model mamba-130m-q8 --golden f16.safetensors --atol 0.5`,
		Flags: []cli.Flag{
			modelFlag(),
			&cli.StringFlag{Name: "to", Category: "Output", Usage: "the `TYPE` of quantized weights: q4_k_m, q6_k, q8_0"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Category: "Output", Usage: "`PATH` to create"},
		},
		Action: quantizeAction,
	}
}

func quantizeAction(c *cli.Context) error {
	if err := cmp.Or(noArguments(c), required(c, "to", "out")); err != nil {
		return err
	}
	out := filepath.Clean(c.String("out"))
	if err := checkTarget(c.String("to"), out); err != nil {
		return err
	}
	if err := mustNotExist("out", out); err != nil {
		return err
	}
	src, err := sourceOf(c)
	if err != nil {
		return err
	}
	data, err := src.Config()
	if err != nil {
		return err
	}
	name := src.Path(configName)
	cfg, err := engine.ParseConfig(name, data)
	if err != nil {
		return err
	}
	model, closing, err := src.weights()
	if err != nil {
		return err
	}
	defer closing()
	if already := model.Quantized(); already != nil {
		return fmt.Errorf("%s: the model is quantized already (%s)", name, already)
	}
	if isGGUF(out) {
		f, err := ggufModelOf(src, model, c.String("to"))
		if err != nil {
			return err
		}
		return f.write(c, out, closing)
	}
	to := quant.Q8_0
	config, err := safetensors.QuantizedConfig(data, to)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	model, asked, err := checkModel(model, cfg)
	if err != nil {
		return fmt.Errorf("%s: %w", src.Name(), err)
	}
	tensors, err := safetensors.Quantized(model, to, matricesOf(asked))
	if err != nil {
		return fmt.Errorf("%s: %w", src.Name(), err)
	}
	return writeModel(c, out, config, src, tensors, closing)
}

// checkTarget finds types of quantized weights that there are not, or not in such files.
func checkTarget(to, out string) error {
	known := slices.Sorted(maps.Keys(gguf.Targets))
	switch {
	case !slices.Contains(known, to):
		return usagef("--to: %q is not known (%s are)", to, strings.Join(known, ", "))
	case !isGGUF(out) && to != quant.Q8_0.Name:
		return usagef("--to %s is written to a GGUF file: --out must end with %s", to, ggufEnding)
	}
	return nil
}

// matricesOf says of a tensor's name whether a quantized model holds it quantized: whether it is a matrix.
func matricesOf(asked []engine.Tensor) func(name string) bool {
	return func(name string) bool {
		return slices.ContainsFunc(asked, func(t engine.Tensor) bool { return t.Name == name && t.Role == engine.Matrix })
	}
}

// writeModel writes a checkpoint with the small files of another, stopping for a signal. The tensors are of weights that it
// closes.
func writeModel(c *cli.Context, to string, config []byte, from source, tensors []safetensors.Out, closing func() error) error {
	sig := signalsOf(c)
	for _, line := range engine.Warnings(from.Source) {
		fmt.Fprintf(c.App.ErrWriter, "mmrun: %s: %s\n", from.Name(), line)
	}
	sig.graceful() // a signal must not leave the temporary directory behind
	return replace.Folder(to, func(dir string) error {
		err := writeFile(filepath.Join(dir, configName), func(w io.Writer) error {
			_, err := w.Write(config)
			return err
		})
		if err != nil {
			return err
		}
		if err := copyOthers(dir, from); err != nil {
			return err
		}
		if err := safetensors.CreateModel(dir, map[string]string{"format": "pt"}, untilDone(sig.ctx, tensors), shardLimit); err != nil {
			return err
		}
		return closing()
	})
}
