package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/checkpoint/gguf"
	"github.com/mmrun/mmrun/checkpoint/safetensors"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/memmamba"
	"github.com/mmrun/mmrun/quant"
)

// ggufEnding is how the names of GGUF files end.
const ggufEnding = ".gguf"

func isGGUF(path string) bool { return strings.HasSuffix(path, ggufEnding) }

// ggufModel is what is to be written to a GGUF file.
type ggufModel struct {
	meta    []gguf.Entry
	tensors []gguf.Out
}

// ggufModelOf makes a GGUF file of a model: its matrices as they are, or quantized to one of gguf.Targets when to is not "".
func ggufModelOf(src source, model *checkpoint.Tensors, to string) (*ggufModel, error) {
	parsed, err := src.config()
	if err != nil {
		return nil, err
	}
	cfg, ok := parsed.(*memmamba.Config)
	if !ok {
		return nil, fmt.Errorf("%s: model_type %q is not written to GGUF files (%s and memmamba are)",
			src.Path(configName), parsed.Sizes().ModelType, strings.Join(memmamba.Mixers(), ", "))
	}
	model, asked, err := checkModel(model, cfg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", src.Name(), err)
	}
	f := &ggufModel{}
	if err := f.add(cfg, model, asked, to); err != nil {
		return nil, fmt.Errorf("%s: %w", src.Name(), err)
	}
	return f, f.describe(src, cfg, model, to)
}

// add adds the tensors that the model asks for.
func (f *ggufModel) add(cfg *memmamba.Config, model *checkpoint.Tensors, asked []engine.Tensor, to string) error {
	head := asked[0].Name // the embeddings
	if _, untied := model.Tensor("lm_head.weight"); untied {
		head = "lm_head.weight"
	}
	for i, a := range asked {
		if slices.ContainsFunc(asked[:i], func(before engine.Tensor) bool { return before.Name == a.Name }) {
			continue // a network may ask for one twice
		}
		t, _ := model.Tensor(a.Name) // checkModel found it
		as, shape, ok := cfg.GGUFTensor(t.Name, t.Shape)
		if !ok {
			return fmt.Errorf("tensor %s has no name in GGUF files", t.Name)
		}
		format := quant.F32 // llama.cpp wants what is small so
		if _, cols := t.Grid(); a.Role == engine.Matrix {
			format = t.Format
			if to != "" {
				format = gguf.TypeOf(to, t.Name == head, cols)
			} else if cols%format.Weights != 0 { // of a folder, where a row need not fill its blocks
				format = quant.F16
			}
		}
		f.tensors = append(f.tensors, gguf.Of(t, as, shape, format))
	}
	return nil
}

// describe adds the metadata: of a GGUF file what it has, and otherwise what its folder tells.
func (f *ggufModel) describe(src source, cfg *memmamba.Config, model *checkpoint.Tensors, to string) error {
	arch, header := cfg.GGUFHeader()
	f.meta = header
	sizes := cfg.Sizes()
	old, isFile, err := gguf.MetadataOf(src.Source, arch+".", "general.architecture", "general.file_type", "general.alignment",
		"general.quantization_version", "split.")
	if err != nil {
		return err
	}
	if !isFile {
		name := strings.TrimSuffix(filepath.Base(src.Name()), ggufEnding)
		old = []gguf.Entry{{Key: "general.name", Value: name}}
		bos := int32(-1)
		if len(sizes.BOS) > 0 {
			bos = sizes.BOS[0]
		}
		vocabulary, err := gguf.Vocabulary(src.Source, sizes.Vocab, bos, sizes.EOS)
		if err != nil {
			return err
		}
		old = append(old, vocabulary...)
	}
	f.meta = slices.Insert(f.meta, 1, old...)
	kind, ok := gguf.Targets[to]
	if !ok {
		format := model.Quantized()
		if embeddings, has := model.Tensor("backbone.embeddings.weight"); format == nil && has {
			format = embeddings.Format
		}
		kind, ok = gguf.FileType(format)
	}
	if ok {
		f.meta = append(f.meta, gguf.Entry{Key: "general.file_type", Value: kind})
	}
	f.meta = append(f.meta, gguf.Entry{Key: "general.quantization_version", Value: uint32(2)})
	return nil
}

// write writes the file as a whole or not at all, stopping for a signal. The tensors are of weights that it closes.
func (f *ggufModel) write(c *cli.Context, path string, closing func() error) error {
	sig := signalsOf(c)
	sig.graceful()
	for i, t := range f.tensors {
		f.tensors[i].Write = unlessDone(sig.ctx, t.Write)
	}
	return writeFile(path, func(w io.Writer) error {
		if err := gguf.Encode(w, f.meta, f.tensors); err != nil {
			return err
		}
		return closing()
	})
}

func unlessDone(ctx context.Context, write func(io.Writer) error) func(io.Writer) error {
	return func(w io.Writer) error { return cmp.Or(ctx.Err(), write(w)) }
}

// convertGGUF writes a model as a GGUF file, or what a GGUF file has as a folder.
func convertGGUF(c *cli.Context, src source, to string) error {
	model, closing, err := src.weights()
	if err != nil {
		return err
	}
	defer closing()
	if isGGUF(to) {
		f, err := ggufModelOf(src, model, "")
		if err != nil {
			return err
		}
		return f.write(c, to, closing)
	}
	config, err := src.Config()
	if err != nil {
		return err
	}
	cfg, err := src.config()
	if err != nil {
		return err
	}
	model, asked, err := checkModel(model, cfg)
	if err != nil {
		return fmt.Errorf("%s: %w", src.Name(), err)
	}
	var out []safetensors.Out
	for i, a := range asked {
		if slices.ContainsFunc(asked[:i], func(before engine.Tensor) bool { return before.Name == a.Name }) {
			continue
		}
		t, _ := model.Tensor(a.Name) // checkModel found it
		same, err := safetensors.OfTensor(folderTensor(t))
		if err != nil {
			return fmt.Errorf("%s: %w", src.Name(), err)
		}
		out = append(out, same...)
	}
	return writeModel(c, to, append(config, '\n'), src, out, closing)
}

// folderTensor is a tensor in a type that safetensors files have: F16 when it is quantized, as a device without shaders for it
// would hold it, and F32 where the numbers of its type are wider.
func folderTensor(t checkpoint.Tensor) checkpoint.Tensor {
	if t.Format == nil || !t.Format.Quantized() {
		return t
	}
	r, row := new(checkpoint.Reader), t
	t.Row = func(i int, _ []byte) ([]byte, error) { return r.Row(row, i, quant.F16) }
	t.Format, t.Type = quant.F16, "F16"
	return t
}
