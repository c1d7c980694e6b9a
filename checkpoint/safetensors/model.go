package safetensors

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
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

// source is where a model's files come from.
type source struct {
	name  string // of the directory, for errors
	open  func(file string) (*File, error)
	index func() (io.ReadCloser, error)
}

// OpenModel maps the weights of the model directory dir: model.safetensors, or the shards that
// model.safetensors.index.json lists.
func OpenModel(dir string) (*Model, error) {
	return openModel(source{
		name:  dir,
		open:  func(file string) (*File, error) { return Open(filepath.Join(dir, file)) },
		index: func() (io.ReadCloser, error) { return os.Open(filepath.Join(dir, indexName)) },
	})
}

// OpenModelFS reads the weights of a model directory out of fsys, an embedded one say, into
// memory; name is what errors call it.
func OpenModelFS(name string, fsys fs.FS) (*Model, error) {
	return openModel(source{
		name: name,
		open: func(file string) (*File, error) {
			data, err := fs.ReadFile(fsys, file)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			return Parse(path.Join(name, file), data)
		},
		index: func() (io.ReadCloser, error) { return fsys.Open(indexName) },
	})
}

func openModel(src source) (*Model, error) {
	single, err := src.open(singleName)
	if err == nil {
		return &Model{tensors: single.tensors, files: []*File{single}}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	shards, err := readIndex(src)
	if err != nil {
		return nil, err
	}
	m := &Model{tensors: map[string]Tensor{}}
	for _, shard := range slices.Sorted(maps.Keys(shards)) {
		if err := m.add(src, shard, shards[shard]); err != nil {
			return nil, errors.Join(err, m.Close())
		}
	}
	return m, nil
}

// add opens one shard, which must hold exactly the tensors that the index says.
func (m *Model) add(src source, shard string, names map[string]bool) error {
	f, err := src.open(shard)
	if err != nil {
		return err
	}
	m.files = append(m.files, f)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if _, ok := f.tensors[name]; !ok {
			return fmt.Errorf("%s: tensor %s is missing, %s says it is here", f.name, quote(name), indexName)
		}
	}
	for _, name := range f.Names() {
		if !names[name] {
			return fmt.Errorf("%s: tensor %s is not in this file by %s", f.name, quote(name), indexName)
		}
		m.tensors[name] = f.tensors[name]
	}
	return nil
}

// readIndex returns the tensor names of every shard.
func readIndex(src source) (map[string]map[string]bool, error) {
	r, err := src.index()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: neither %s nor %s: %w", src.name, singleName, indexName, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	name := path.Join(filepath.ToSlash(src.name), indexName)
	raw, err := io.ReadAll(io.LimitReader(r, maxHeader+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(raw) > maxHeader {
		return nil, fmt.Errorf("%s: above the limit of %d bytes", name, maxHeader)
	}
	shards, err := parseIndex(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return shards, nil
}

// parseIndex reads {"weight_map": {tensor: shard}, …}; other keys, such as "metadata", are free.
func parseIndex(raw []byte) (map[string]map[string]bool, error) {
	if !utf8.Valid(raw) {
		return nil, errors.New("not UTF-8")
	}
	shards := map[string]map[string]bool{}
	err := parseObject(raw, func(d *json.Decoder, key string) error {
		if key != "weight_map" {
			var ignored json.RawMessage
			return d.Decode(&ignored)
		}
		err := readObject(d, func(tensor string) error {
			shard, err := readString(d)
			if err != nil {
				return fmt.Errorf("%s: %w", quote(tensor), err)
			}
			// A shard lies beside its index: anything else would let a model read other files.
			if !fs.ValidPath(shard) || shard == "." || strings.ContainsAny(shard, `/\:`) {
				return fmt.Errorf("%s: %s is not a plain file name", quote(tensor), quote(shard))
			}
			if shards[shard] == nil {
				shards[shard] = map[string]bool{}
			}
			shards[shard][tensor] = true
			return nil
		})
		if err != nil {
			return fmt.Errorf("weight_map: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(shards) == 0 {
		return nil, errors.New("weight_map is missing or empty")
	}
	return shards, nil
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
