// Package pytorch reads the weights that PyTorch saves: pytorch_model.bin, or several such files with an index, in a
// model's directory. Importing it makes that kind of files known to package checkpoint.
//
// Such a file is a zip of storages and a pickle, which is a program: of what it may ask for, only tensors of plain
// storages are made, with their offsets and strides, and anything else is refused by name. Nothing is run.
package pytorch

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/mmrun/mmrun/checkpoint"
)

const (
	singleName = "pytorch_model.bin"
	indexName  = "pytorch_model.bin.index.json"
)

func init() {
	checkpoint.Register(checkpoint.Kind{
		Name: "pytorch",
		Is:   "a directory with config.json and " + singleName + " or " + indexName,
		Holds: func(p checkpoint.Place) checkpoint.Share {
			if p.FS == nil {
				return checkpoint.Nothing
			}
			for _, file := range []string{singleName, indexName} {
				if _, err := fs.Stat(p.FS, file); err == nil {
					return checkpoint.Weights // as good as others, which need no program read
				}
			}
			return checkpoint.Nothing
		},
		Open: func(p checkpoint.Place) (checkpoint.Source, error) { return checkpoint.NewDirectory(p, load), nil },
	})
}

// load maps a directory's files.
func load(d *checkpoint.Directory) (tensors []checkpoint.Tensor, release func() error, err error) {
	shards, err := d.Shards(singleName, indexName)
	if err != nil {
		return nil, nil, err
	}
	var releases []func() error
	release = func() error {
		var errs []error
		for _, f := range releases {
			errs = append(errs, f())
		}
		return errors.Join(errs...)
	}
	taken := map[string]int{}
	for _, file := range shards.Files {
		data, done, err := d.Open(file)
		if err != nil {
			return nil, nil, errors.Join(err, release())
		}
		releases = append(releases, done)
		var some []checkpoint.Tensor
		err = checkpoint.Guard(func() error {
			if some, err = Parse(data); err != nil {
				return fmt.Errorf("%s: %w", d.Path(file), err)
			}
			return nil
		})
		if err != nil {
			return nil, nil, errors.Join(err, release())
		}
		for _, t := range some {
			at, before := taken[t.Name]
			switch {
			case !shards.Take(t.Name, file, before):
			case before:
				tensors[at] = t
			default:
				taken[t.Name] = len(tensors)
				tensors = append(tensors, t)
			}
		}
	}
	return tensors, release, nil
}
