package safetensors

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/mmrun/mmrun/checkpoint"
)

// The files of a model directory: either one file, or an index that says which shard holds which
// tensor.
const (
	singleName = "model.safetensors"
	indexName  = "model.safetensors.index.json"
)

// Model is the tensors of a model directory, in one file or in shards.
type Model struct {
	tensors map[string]Tensor
	files   []*File
}

// OpenModel maps the weights of the model directory dir: model.safetensors, or the shards that
// model.safetensors.index.json lists.
func OpenModel(dir string) (*Model, error) {
	return openModel(checkpoint.Place{Name: dir, Path: dir, FS: os.DirFS(dir)})
}

// OpenModelFS reads the weights of a model directory out of fsys, an embedded one say, into
// memory; name is what errors call it.
func OpenModelFS(name string, fsys fs.FS) (*Model, error) {
	return openModel(checkpoint.Place{Name: name, FS: fsys})
}

func openModel(p checkpoint.Place) (*Model, error) {
	d := checkpoint.NewDirectory(p, nil)
	shards, err := d.Shards(singleName, indexName)
	if err != nil {
		return nil, err
	}
	return openShards(d, shards)
}

// openShards opens the files of a model.
func openShards(d *checkpoint.Directory, shards checkpoint.Shards) (*Model, error) {
	m := &Model{tensors: map[string]Tensor{}}
	for _, file := range shards.Files {
		if err := m.add(d, shards, file); err != nil {
			return nil, errors.Join(err, m.Close())
		}
	}
	return m, nil
}

// add opens one file.
func (m *Model) add(d *checkpoint.Directory, shards checkpoint.Shards, file string) error {
	data, release, err := d.Open(file)
	if err != nil {
		return err
	}
	f, err := parseMapped(d.Path(file), data, release)
	if err != nil {
		return err
	}
	m.files = append(m.files, f)
	for name, t := range f.tensors {
		if _, taken := m.tensors[name]; shards.Take(name, file, taken) {
			m.tensors[name] = t
		}
	}
	return nil
}

// Tensor returns the tensor with the given name and whether there is one.
func (m *Model) Tensor(name string) (Tensor, bool) {
	t, ok := m.tensors[name]
	return t, ok
}

// Names returns the names of all tensors, sorted.
func (m *Model) Names() []string { return slices.Sorted(maps.Keys(m.tensors)) }

// Close closes every file; the tensors' Data must not be used any more. Closing twice is fine.
func (m *Model) Close() error {
	var errs []error
	for _, f := range m.files {
		errs = append(errs, f.Close())
	}
	m.files, m.tensors = nil, nil
	return errors.Join(errs...)
}
