// Package checkpoint reads models as they lie in files: their configuration, their tensors and the files
// of their tokenizer. It says nothing of what a model computes; a Source hands over config.json as bytes
// and tensors by name, and whoever runs the model knows what to ask for.
//
// A kind of file is a package of its own that registers a Kind when it is imported, as drivers of
// database/sql do, so that a program imports those it wants:
//
//	import _ "github.com/mmrun/mmrun/checkpoint/safetensors"
//
// To add a kind, write such a package: Holds tells its files from others, and Open returns a Source that
// gives config.json and the tokenizer's files as Hugging Face has them (made up from its own metadata where
// it has no such files) and tensors with their rows laid out as their quant.Format says. Nothing that a file
// says of sizes may be trusted.
package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// A Source is a model as it lies somewhere. Opening one is cheap: what is wrong with a part of it is told
// when that part is asked for. A Source may be used by several goroutines until it is closed.
type Source interface {
	// Name is what errors call the model: its path, or the name it was opened by.
	Name() string
	// Path is what errors call a file of the model, such as "config.json", or the file it is made up from.
	Path(file string) string
	// Config is the model's config.json.
	Config() ([]byte, error)
	// File is one of the small files beside the weights, such as "tokenizer.json", of at most MaxFile
	// bytes. The error is fs.ErrNotExist when the model has no such file, and names it.
	File(name string) ([]byte, error)
	// Others are the names of all that File reads besides config.json, sorted: the tokenizer's files, a chat
	// template, and whatever else describes the model.
	Others() ([]string, error)
	// Tensors are the model's weights. They are good until the source is closed.
	Tensors() (*Tensors, error)
	// Close gives back what the source holds, such as maps of files. Closing twice is fine. The error is
	// [ErrChanged] when a file of the weights was changed since it was opened: what was read may be a mixture.
	Close() error
}

// A Warner is a Source that may have something to tell of its files that is no error, line by line.
type Warner interface {
	Warnings() []string
}

// As is a source as something that it can do besides, or that the source within it can: one that has another within it
// has a method Unwrap.
func As[T any](src Source) (as T, ok bool) {
	for src != nil {
		if as, ok = src.(T); ok {
			return as, true
		}
		outer, wraps := src.(interface{ Unwrap() Source })
		if !wraps {
			break
		}
		src = outer.Unwrap()
	}
	return as, false
}

// MaxFile bounds the files of a model besides its weights, in bytes.
const MaxFile = 256 << 20

// A Place is where a model may be: a directory or a file of the operating system, or a file system such as
// one embedded in the program.
type Place struct {
	Name string // what errors call it
	Path string // of the operating system; empty when there is FS alone
	FS   fs.FS  // of the directory; nil when Path is a file
}

// A Kind is a kind of files that models lie in.
type Kind struct {
	Name  string                        // "safetensors"
	Is    string                        // what such a model is, for errors: "a directory with …"
	Holds func(p Place) Share           // how much of a model of this kind a place holds
	Open  func(p Place) (Source, error) // called when that is more than Nothing
}

// A Share is how much of a model a place holds. Open takes the kind with the largest, and of equals the one
// that was registered first.
type Share int

// The shares.
const (
	Nothing Share = iota
	Parts         // files beside the weights, such as config.json or a tokenizer
	Weights       // weights, in a place that is not laid out for them alone
	Whole         // a model
)

var kinds []Kind

// Register adds a kind of files to those that Open knows. Packages call it when they are initialized.
func Register(k Kind) {
	if slices.ContainsFunc(kinds, func(other Kind) bool { return other.Name == k.Name }) {
		panic("checkpoint: two kinds are called " + k.Name)
	}
	kinds = append(kinds, k)
}

// Open opens the model at a path, a directory or a file. Errors say fs.ErrNotExist when there is nothing.
func Open(path string) (Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		var p *os.PathError
		if errors.As(err, &p) { // without the call's name
			err = p.Err
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	p := Place{Name: path, Path: path}
	if info.IsDir() {
		p.FS = os.DirFS(path)
	}
	return open(p)
}

// OpenFS opens the model in a file system, such as one embedded in the program; name stands for it in
// errors.
func OpenFS(name string, fsys fs.FS) (Source, error) { return open(Place{Name: name, FS: fsys}) }

func open(p Place) (Source, error) {
	var known []string
	var best Kind
	most := Nothing
	for _, k := range kinds {
		if share := k.Holds(p); share > most {
			best, most = k, share
		}
		known = append(known, k.Is)
	}
	if most > Nothing {
		return best.Open(p)
	}
	if known == nil {
		return nil, fmt.Errorf("%s: no kind of model files is known: the program imports none", p.Name)
	}
	return nil, fmt.Errorf("%s: there is no model, which is %s", p.Name, strings.Join(known, " or "))
}

// ReadFile reads a regular file of fsys of at most MaxFile bytes; name is what errors call it.
func ReadFile(fsys fs.FS, file, name string) ([]byte, error) {
	if info, err := fs.Stat(fsys, file); err != nil { // before opening: a pipe would block there
		return nil, reason(name, err)
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", name)
	}
	f, err := fsys.Open(file)
	if err != nil {
		return nil, reason(name, err)
	}
	defer f.Close()
	tooLarge := fmt.Errorf("%s: above the limit of %d bytes", name, MaxFile)
	if info, err := f.Stat(); err == nil && info.Size() > MaxFile {
		return nil, tooLarge
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, reason(name, err)
	}
	if len(data) > MaxFile { // a file that grows, or does not know its size
		return nil, tooLarge
	}
	if err := NoPointer(data); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

// reason is err, of a call about a file, without the call's name and its own of the file.
func reason(name string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("%s: %w", name, err)
}

// Files are the small files of a source as a file system, of which [fs.ReadFile] reads them.
func Files(src Source) fs.FS { return files{src} }

type files struct{ Source }

func (f files) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: errors.ErrUnsupported}
}

func (f files) ReadFile(name string) ([]byte, error) {
	data, err := f.File(name)
	if err == nil {
		return data, nil
	}
	if reason := errors.Unwrap(err); reason != nil { // whoever reads it names the file
		err = reason
	}
	return nil, &fs.PathError{Op: "read", Path: name, Err: err}
}
