package safetensors

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/quant"
)

const configName = "config.json"

// beside are files that tell a model's directory from others when the weights are not there.
var beside = []string{configName, "tokenizer.json", "tokenizer.model", "vocab.json", "tokenizer_config.json", "chat_template.jinja"}

func init() {
	checkpoint.Register(checkpoint.Kind{
		Name: "safetensors",
		Is:   "a directory with " + configName + " and " + singleName + " or " + indexName,
		Holds: func(p checkpoint.Place) checkpoint.Share {
			if p.FS == nil {
				return checkpoint.Nothing
			}
			there := func(file string) bool {
				_, err := fs.Stat(p.FS, file)
				return err == nil
			}
			switch {
			case there(singleName) || there(indexName):
				return checkpoint.Whole
			case slices.ContainsFunc(beside, there):
				return checkpoint.Parts
			}
			return checkpoint.Nothing
		},
		Open: func(p checkpoint.Place) (checkpoint.Source, error) { return &directory{place: p}, nil },
	})
}

// directory is a model as Hugging Face lays it out. Its weights are mapped when they are asked for.
type directory struct {
	place checkpoint.Place

	mu      sync.Mutex // guards what follows
	model   *Model
	tensors *checkpoint.Tensors
	closed  bool
}

// Name is the directory's name.
func (d *directory) Name() string { return d.place.Name }

// Path is where a file of the model is.
func (d *directory) Path(file string) string {
	if d.place.Path == "" {
		return path.Join(d.place.Name, file)
	}
	return filepath.Join(d.place.Path, file)
}

// Config is config.json.
func (d *directory) Config() ([]byte, error) { return d.File(configName) }

// File is a file of the directory.
func (d *directory) File(name string) ([]byte, error) {
	return checkpoint.ReadFile(d.place.FS, name, d.Path(name))
}

// Others are the directory's files, but for weights, of whatever kind, and what is too large to be read.
func (d *directory) Others() ([]string, error) {
	entries, err := fs.ReadDir(d.place.FS, ".")
	if err != nil {
		return nil, reason(d.place.Name, err)
	}
	var names []string
	for _, entry := range entries {
		info, err := fs.Stat(d.place.FS, entry.Name()) // through links: caches of the Hugging Face hub are made of them
		if err != nil {
			return nil, reason(d.Path(entry.Name()), err)
		}
		if info.Mode().IsRegular() && info.Size() <= checkpoint.MaxFile && entry.Name() != configName && !isWeights(entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// isWeights tells the files that hold a checkpoint's numbers in one kind of file or another.
func isWeights(name string) bool {
	endings := []string{".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".gguf", ".onnx"}
	return slices.ContainsFunc(endings, func(end string) bool { return strings.HasSuffix(name, end) })
}

// Tensors maps the weights, or reads them where there is no path, the first time it is called.
func (d *directory) Tensors() (*checkpoint.Tensors, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, fmt.Errorf("%s: %w", d.place.Name, fs.ErrClosed)
	}
	if d.tensors != nil {
		return d.tensors, nil
	}
	quantized, err := d.quantization()
	if err != nil {
		return nil, err
	}
	var model *Model
	if d.place.Path != "" {
		model, err = OpenModel(d.place.Path)
	} else {
		model, err = OpenModelFS(d.place.Name, d.place.FS)
	}
	if err != nil {
		return nil, err
	}
	all, err := tensorsOf(model, quantized)
	if err == nil {
		d.tensors, err = checkpoint.NewTensors(all)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", d.place.Name, err), model.Close())
	}
	d.model = model
	return d.tensors, nil
}

// quantization says whether config.json tells of quantized weights. That there is no config.json is for
// those to tell who need it.
func (d *directory) quantization() (bool, error) {
	data, err := d.Config()
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	quantized, err := parseQuantization(data)
	if err != nil {
		return false, fmt.Errorf("%s: %w", d.Path(configName), err)
	}
	return quantized, nil
}

// Close gives the maps back.
func (d *directory) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed, d.tensors = true, nil
	if d.model == nil {
		return nil
	}
	model := d.model
	d.model = nil
	return model.Close()
}

// format is the format of weights of a type, nil when weights are never of it.
func (d DType) format() *quant.Format {
	switch d {
	case F32:
		return quant.F32
	case F16:
		return quant.F16
	case BF16:
		return quant.BF16
	}
	return nil
}

// plain is a tensor as it is in its file.
func plain(t Tensor) checkpoint.Tensor {
	out := checkpoint.Tensor{Name: t.Name, Type: t.DType.String(), Format: t.DType.format(), Shape: t.Shape, Size: int64(len(t.Data))}
	_, cols := out.Grid()
	size := cols * t.DType.Size()
	out.Row = func(i int, _ []byte) ([]byte, error) { return t.Data[i*size : (i+1)*size : (i+1)*size], nil }
	return out
}
