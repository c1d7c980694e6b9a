package safetensors

import (
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"slices"

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
		Open: func(p checkpoint.Place) (checkpoint.Source, error) { return checkpoint.NewDirectory(p, load), nil },
	})
}

// load maps a directory's weights, or reads them where it has no path.
func load(d *checkpoint.Directory) ([]checkpoint.Tensor, func() error, error) {
	quantized, err := isQuantized(d)
	if err != nil {
		return nil, nil, err
	}
	shards, err := d.Shards(singleName, indexName)
	if err != nil {
		return nil, nil, err
	}
	model, err := openShards(d, shards)
	if err != nil {
		return nil, nil, err
	}
	all, err := tensorsOf(model, quantized)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", d.Name(), err), model.Close())
	}
	return all, model.Close, nil
}

// isQuantized says whether config.json tells of quantized weights. That there is no config.json is for
// those to tell who need it.
func isQuantized(d *checkpoint.Directory) (bool, error) {
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
	out := checkpoint.Tensor{Name: t.Name, Type: t.Type(), Format: t.DType.format(), Shape: t.Shape, Size: int64(len(t.Data))}
	rows, cols := out.Grid()
	if !t.DType.valid() { // an even share of the bytes, which is all that can be said
		begin := func(i int) uint64 {
			hi, lo := bits.Mul64(uint64(i), uint64(len(t.Data)))
			at, _ := bits.Div64(hi, lo, uint64(rows))
			return at
		}
		out.Row = func(i int, _ []byte) ([]byte, error) { return t.Data[begin(i):begin(i+1)], nil }
		return out
	}
	size := cols * t.DType.Size()
	out.Row = func(i int, _ []byte) ([]byte, error) { return t.Data[i*size : (i+1)*size : (i+1)*size], nil }
	return out
}
