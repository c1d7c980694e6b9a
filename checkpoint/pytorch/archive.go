package pytorch

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/mmrun/mmrun/checkpoint"
)

// An archive is a file of PyTorch since 1.6: a zip with a pickle and the storages that it speaks of, none of them
// compressed.
type archive struct {
	data    []byte
	files   map[string]*zip.File
	folder  string // in which all of it lies
	swapped bool   // storages are big-endian
}

// Parse reads the tensors of a file of PyTorch that is in memory, which they alias. Errors do not name the file.
func Parse(data []byte) ([]checkpoint.Tensor, error) {
	a, err := openArchive(data)
	if err != nil {
		return nil, err
	}
	program, err := a.entry("data.pkl")
	if err != nil {
		return nil, err
	}
	value, err := unpickle(program)
	if err != nil {
		return nil, fmt.Errorf("data.pkl: %w", err)
	}
	d, ok := value.(*dict)
	if !ok {
		return nil, fmt.Errorf("data.pkl: %s where a dictionary of tensors is expected", describe(value))
	}
	tensors := make([]checkpoint.Tensor, 0, len(d.keys))
	var total int64
	for _, key := range d.keys {
		name, isName := key.(string)
		v, isView := d.values[key].(*view)
		if !isName || !isView {
			return nil, fmt.Errorf("data.pkl: %s stands under %s, where tensors by name are expected", describe(d.values[key]), describe(key))
		}
		t, err := a.tensor(name, v)
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", quote(name), err)
		}
		if total += t.Size; total < 0 || total > mostShared*int64(len(data)) {
			return nil, fmt.Errorf("tensor %s: with it the tensors are more than %d times as large as the file's %d bytes, which they share", quote(name), mostShared, len(data))
		}
		tensors = append(tensors, t)
	}
	return tensors, nil
}

// mostShared is how often the numbers of a file may be used, by tensors that share storages or repeat them.
const mostShared = 16

// What files begin with that are no zip: a pickle of PyTorch before 1.6, which begins with a magic number.
var magicNumber = []byte("\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")

// openArchive reads the zip's directory.
func openArchive(data []byte) (*archive, error) {
	switch {
	case len(data) > 2 && bytes.HasPrefix(data[2:], magicNumber):
		return nil, errors.New("a file of PyTorch before 1.6, which is no zip; load it with PyTorch and save it again, or take a copy in safetensors files")
	case !bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return nil, fmt.Errorf("no zip of PyTorch: its %d bytes begin with %q", len(data), data[:min(4, len(data))])
	}
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("broken zip, cut short maybe: %w", err)
	}
	a := &archive{data: data, files: map[string]*zip.File{}}
	for _, f := range r.File {
		if a.files[f.Name] != nil {
			return nil, fmt.Errorf("%s comes twice", quote(f.Name))
		}
		a.files[f.Name] = f
		if folder, file := path.Split(f.Name); file == "data.pkl" && strings.Count(folder, "/") == 1 {
			a.folder = folder
		}
	}
	if a.folder == "" {
		return nil, errors.New("a zip without data.pkl: not a file of PyTorch")
	}
	for name := range a.files {
		if strings.HasPrefix(name, a.folder+"code/") || name == a.folder+"constants.pkl" {
			return nil, fmt.Errorf("a program of TorchScript (it has %s): only files of tensors are read, and nothing is run", quote(name))
		}
	}
	return a, a.order()
}

// order reads in which order bytes are.
func (a *archive) order() error {
	if a.files[a.folder+"byteorder"] == nil {
		return nil
	}
	order, err := a.entry("byteorder")
	switch {
	case err != nil:
		return err
	case string(order) == "big":
		a.swapped = true
	case string(order) != "little":
		return fmt.Errorf("byteorder: %s is neither little nor big", quote(string(order)))
	}
	return nil
}

// entry is the bytes of a file of the zip.
func (a *archive) entry(name string) ([]byte, error) {
	f := a.files[a.folder+name]
	switch {
	case f == nil:
		return nil, fmt.Errorf("%s is missing", quote(name))
	case f.Method != zip.Store || f.Flags&1 != 0 || f.CompressedSize64 != f.UncompressedSize64:
		return nil, fmt.Errorf("%s is compressed or encrypted, which PyTorch does not do", quote(name))
	}
	at, err := f.DataOffset()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", quote(name), err)
	}
	size := f.CompressedSize64
	if at < 0 || at > int64(len(a.data)) || size > uint64(int64(len(a.data))-at) {
		return nil, fmt.Errorf("%s: %d bytes from %d end beyond the file's %d", quote(name), size, at, len(a.data))
	}
	return a.data[at : at+int64(size) : at+int64(size)], nil
}

// tensor finds a tensor's storage.
func (a *archive) tensor(name string, v *view) (checkpoint.Tensor, error) {
	data, err := a.entry("data/" + v.storage.key)
	if err != nil {
		return checkpoint.Tensor{}, err
	}
	if size := v.storage.element.size; int64(len(data))/int64(size) < v.storage.numbers {
		return checkpoint.Tensor{}, fmt.Errorf("storage %s has %d bytes, too few for %d numbers of %d", quote(v.storage.key), len(data), v.storage.numbers, size)
	}
	return v.tensor(name, data, a.swapped), nil
}
