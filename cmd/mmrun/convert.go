package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/checkpoint/gguf"
	"github.com/mmrun/mmrun/checkpoint/safetensors"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/config"
	"github.com/mmrun/mmrun/memmamba"
)

// shardLimit is the size in bytes above which weights are written in several files, as Hugging
// Face does.
const shardLimit = 5e9

func convertCommand() *cli.Command {
	const category = "Memory"
	return &cli.Command{
		Name:      "convert",
		Category:  groupMemory,
		Usage:     "write a model as a GGUF file or folder, or give it a memory",
		UsageText: "mmrun convert --from DIR|FILE.gguf --to FILE.gguf|DIR [FLAGS]",
		Description: `With a --to that ends with .gguf: writes the model as a GGUF file that llama.cpp reads, with tokenizer, special tokens and chat template; matrices keep their type, all else becomes F32. MemMamba is the architecture memmamba there, which is ours. With a --from that is a GGUF file and no flag of a memory: writes a folder as Hugging Face has it; quantized matrices become F16.

Otherwise: writes a MemMamba checkpoint with the weights of a Mamba one. Its attention outputs (o_proj) are zero, so that the logits are exactly those of the Mamba it came from until training changes them; the other memory weights are random, N(0, 1/fan_in), biases and gates zero, in the checkpoint's number type. The tokenizer and the other small files are copied. A FalconMamba's norms of dt, B and C stay under its memory. --to must not exist.

Examples:
mmrun convert --from mamba-130m --to mamba-130m.gguf
mmrun convert --from mamba-130m.gguf --to mamba-130m-again
mmrun convert --from mamba-130m --to memmamba-130m
mmrun convert --from mamba-130m --to token-by-token --window 1 --period 6 --replacement priority`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "from", Category: "Model", Usage: "`PATH` of a model"},
			&cli.StringFlag{Name: "to", Category: "Model", Usage: "`PATH` to create, a GGUF file when it ends with .gguf"},
			&cli.IntFlag{Name: "period", Category: category, Value: 4, DefaultText: "4, or as many as there are", Usage: "cross-layer attention every `P` layers"},
			&cli.IntFlag{Name: "pool-size", Category: category, Value: 50, Usage: "at most `N` notes in a layer's pool"},
			&cli.IntFlag{Name: "pool-growth", Category: category, Usage: "room for `N` notes more whenever the windows have doubled"},
			&cli.IntFlag{Name: "pool-max", Category: category, DefaultText: "--pool-size", Usage: "a pool grows to at most `N` notes"},
			&cli.IntFlag{Name: "summary-dim", Category: category, Value: 64, Usage: "`S` numbers in a note"},
			&cli.IntFlag{Name: "window", Category: category, Value: 64, Usage: "`W` tokens between commits to the pool"},
			&cli.Float64Flag{Name: "note-threshold", Category: category, Value: 0.5, Usage: "a token more important than `T` leaves a note"},
			&cli.Float64Flag{Name: "state-threshold", Category: category, Value: 0.5, Usage: "a layer whose state scores above `T` reads its pool"},
			&cli.StringFlag{Name: "replacement", Category: category, Value: "fifo", Usage: "`RULE` of a full pool: fifo or priority"},
			&cli.StringFlag{Name: "pooling", Category: category, Value: "concat", Usage: "`RULE` of cross-layer attention: concat, mean or max"},
			&cli.StringFlag{Name: "trigger", Category: category, Value: "period", Usage: "`RULE` by which a layer reads those before it: period, or state besides"},
			&cli.Float64Flag{Name: "trigger-threshold", Category: category, Value: 0.5, Usage: "with --trigger state, where its state scores above `T`"},
			&cli.StringFlag{Name: "fusion", Category: category, Value: "residual", Usage: "`RULE` of fusion: residual or gated"},
			&cli.Uint64Flag{Name: "seed", Category: category, Value: 0, DefaultText: "0", Usage: "`SEED` of the random weights"},
		},
		Action: convertAction,
	}
}

// memoryKeys are the flags of convert and the keys they set in config.json.
var memoryKeys = map[string]string{
	"period": "cross_layer_period", "pool-size": "memory_pool_size", "summary-dim": "memory_summary_dim",
	"window": "memory_window", "note-threshold": "memory_note_threshold", "state-threshold": "memory_state_threshold",
	"replacement": "memory_replacement", "pooling": "cross_layer_pooling", "fusion": "memory_fusion",
}

// variantKeys are the flags that set a key only where they are given.
var variantKeys = map[string]string{
	"pool-growth": "memory_pool_growth", "pool-max": "memory_pool_max",
	"trigger": "cross_layer_trigger", "trigger-threshold": "cross_layer_threshold",
}

func convertAction(c *cli.Context) error {
	if err := cmp.Or(noArguments(c), required(c, "from", "to")); err != nil {
		return err
	}
	from, to := c.String("from"), filepath.Clean(c.String("to"))
	if err := mustNotExist("to", to); err != nil {
		return err
	}
	src, err := sourceAt(c, from)
	if err != nil {
		return err
	}
	memory := hasMemoryFlags(c)
	switch _, ofGGUF := checkpoint.As[gguf.Source](src.Source); {
	case isGGUF(to) && memory != "":
		return usagef("--%s is of a memory, and a GGUF file is written of a model as it is; convert to a folder first", memory)
	case isGGUF(to), ofGGUF && memory == "":
		return convertGGUF(c, src, to)
	}
	made, err := convertedConfig(c, src)
	if err != nil {
		return err
	}
	model, closing, err := src.weights()
	if err != nil {
		return err
	}
	defer closing()
	if model.Quantized() != nil {
		return fmt.Errorf("%s: a quantized model cannot be converted; convert the one it came from", src.Path(configName))
	}
	tensors, err := convertedTensors(model, made.from, made.to, c.Uint64("seed"))
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return writeModel(c, to, made.config, src, tensors, closing)
}

// hasMemoryFlags is a flag of a memory that is given, "" without one.
func hasMemoryFlags(c *cli.Context) string {
	for _, keys := range []map[string]string{memoryKeys, variantKeys, {"seed": ""}} {
		for flag := range keys {
			if c.IsSet(flag) {
				return flag
			}
		}
	}
	return ""
}

// untilDone makes writing stop between tensors when ctx is cancelled.
func untilDone(ctx context.Context, tensors []safetensors.Out) []safetensors.Out {
	out := slices.Clone(tensors)
	for i, t := range tensors {
		out[i].Write = func(w io.Writer) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return t.Write(w)
		}
	}
	return out
}

// converted is what the new checkpoint is: its config.json as a file, and as the engine reads it, beside the old one.
type converted struct {
	config []byte
	from   engine.Config
	to     *memmamba.Config
}

// convertedConfig gives a config.json a memory.
func convertedConfig(c *cli.Context, src source) (*converted, error) {
	data, err := src.Config()
	if err != nil {
		return nil, err
	}
	name := src.Path(configName)
	from, err := engine.ParseConfig(name, data)
	if err != nil {
		return nil, err
	}
	kind := from.Sizes().ModelType
	if old, ok := from.(*memmamba.Config); !ok || old.Memory != nil {
		return nil, fmt.Errorf("%s: model_type %q cannot be converted (%s can)", name, kind, strings.Join(memmamba.Mixers(), ", "))
	}
	keys, err := config.Keys(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	set := func(key string, value any) {
		if err == nil {
			keys[key], err = json.Marshal(value)
		}
	}
	set("model_type", "memmamba")
	set("architectures", []string{"MemMambaForCausalLM"})
	if kind != "mamba" {
		set("mixer_type", kind)
	}
	for flag, key := range memoryKeys {
		set(key, c.Value(flag))
	}
	for flag, key := range variantKeys {
		if c.IsSet(flag) {
			set(key, c.Value(flag))
		}
	}
	if !c.IsSet("period") { // so that a model of fewer layers has cross-layer attention, too
		set(memoryKeys["period"], min(c.Int("period"), from.Sizes().Layers))
	}
	if err == nil {
		data, err = config.Write(keys)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	to, err := engine.ParseConfig(name, data)
	if err != nil { // it was sound before the flags
		return nil, usagef("%s", strings.TrimPrefix(err.Error(), name+": "))
	}
	return &converted{data, from, to.(*memmamba.Config)}, nil
}

// copyOthers copies the tokenizer and whatever else describes the model.
func copyOthers(to string, from source) error {
	names, err := from.Others()
	if err != nil {
		return err
	}
	for _, name := range names {
		data, err := from.File(name)
		if err != nil {
			return err
		}
		err = writeFile(filepath.Join(to, name), func(w io.Writer) error {
			_, err := w.Write(data)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// mustNotExist refuses to write a directory where something is.
func mustNotExist(flag, path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: already exists; --%s names what to create", path, flag)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fileError(path, err)
	}
	return nil
}
