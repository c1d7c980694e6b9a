package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

const configName = "config.json"

// A Directory is a model as Hugging Face lays it out: config.json, the tokenizer's files, and weights in files of one
// kind or another. It is a Source for the packages of these kinds.
type Directory struct {
	place Place
	load  func(d *Directory) ([]Tensor, func() error, error)

	mu      sync.Mutex // guards what follows
	tensors *Tensors
	release func() error
	closed  bool
}

// NewDirectory makes a directory whose weights load reads, when they are asked for, with what gives back what they
// hold. A place that is no directory has no files.
func NewDirectory(p Place, load func(d *Directory) ([]Tensor, func() error, error)) *Directory {
	return &Directory{place: p, load: load}
}

// Name is the directory's name.
func (d *Directory) Name() string { return d.place.Name }

// Place is where the directory is.
func (d *Directory) Place() Place { return d.place }

// Path is where a file of the model is.
func (d *Directory) Path(file string) string {
	if d.place.Path == "" {
		return path.Join(d.place.Name, file)
	}
	return filepath.Join(d.place.Path, file)
}

// Config is config.json.
func (d *Directory) Config() ([]byte, error) { return d.File(configName) }

// File is a file of the directory.
func (d *Directory) File(name string) ([]byte, error) {
	return ReadFile(d.place.FS, name, d.Path(name))
}

// Open maps a file of the directory, or reads it where the directory is not of the operating system.
func (d *Directory) Open(file string) (data []byte, release func() error, err error) {
	if d.place.Path != "" {
		return Map(d.Path(file))
	}
	if data, err = fs.ReadFile(d.place.FS, file); err == nil {
		err = NoPointer(data)
	}
	if err != nil {
		return nil, nil, reason(d.Path(file), err)
	}
	return data, func() error { return nil }, nil
}

// Others are the directory's files, except for weights, of whatever kind, and what is too large to be read.
func (d *Directory) Others() ([]string, error) {
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
		if info.Mode().IsRegular() && info.Size() <= MaxFile && entry.Name() != configName && !isWeights(entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// isWeights tells the files that hold a checkpoint's numbers in one kind of file or another.
func isWeights(name string) bool {
	endings := []string{".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".gguf", ".onnx", ".npz"}
	return slices.ContainsFunc(endings, func(end string) bool { return strings.HasSuffix(name, end) })
}

// NoWeights is the error of a directory without weights of a kind, which is in files of such names. It says what
// there is instead.
func (d *Directory) NoWeights(names ...string) error {
	var others []string
	entries, err := fs.ReadDir(d.place.FS, ".")
	if err != nil {
		return reason(d.place.Name, err)
	}
	for _, entry := range entries {
		if isWeights(entry.Name()) {
			others = append(others, entry.Name())
		}
	}
	const most = 3
	found := ""
	switch n := len(others); {
	case n > most:
		found = fmt.Sprintf("; weights of other kinds are %s and %d more", strings.Join(others[:most], ", "), n-most)
	case n > 0:
		found = "; weights of other kinds are " + strings.Join(others, ", ")
	}
	return fmt.Errorf("%s: neither %s: %w%s", d.place.Name, strings.Join(names, " nor "), fs.ErrNotExist, found)
}

// Tensors reads the weights the first time it is called.
func (d *Directory) Tensors() (*Tensors, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, fmt.Errorf("%s: %w", d.place.Name, fs.ErrClosed)
	}
	if d.tensors != nil {
		return d.tensors, nil
	}
	all, release, err := d.load(d)
	if err != nil {
		return nil, err
	}
	if d.tensors, err = NewTensors(all); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", d.place.Name, err), release())
	}
	d.release = release
	return d.tensors, nil
}

// Close gives back what the weights hold. The error is [ErrChanged] when a file of them was changed since they were opened.
func (d *Directory) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed, d.tensors = true, nil
	if d.release == nil {
		return nil
	}
	release := d.release
	d.release = nil
	return release()
}
