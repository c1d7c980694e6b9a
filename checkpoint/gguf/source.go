// Package gguf reads GGUF files, the format of llama.cpp and ollama, as models: all that Hugging Face has in
// a folder is made up from one file, or from a set of files. Which keys and tensors are what, packages that have
// models register; docs/gguf.md lists them.
//
// The reader trusts nothing: offsets, sizes and counts are checked before they are used.
//
// Importing the package makes it a kind of files of package checkpoint.
package gguf

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/tokenizer"
)

func init() {
	checkpoint.Register(checkpoint.Kind{
		Name: "gguf", Is: "a GGUF file", Holds: holds,
		Open: func(p checkpoint.Place) (checkpoint.Source, error) { return &source{place: p}, nil },
	})
}

// holds tells a GGUF file by its name or its first bytes, for ollama's have no name, and a folder with one.
func holds(p checkpoint.Place) checkpoint.Share {
	if p.FS != nil {
		if names, err := filesIn(p.FS); err == nil && len(names) > 0 {
			return checkpoint.Weights
		}
		return checkpoint.Nothing
	}
	if strings.HasSuffix(p.Path, ending) || beginsLikeOne(p.Path) {
		return checkpoint.Whole
	}
	return checkpoint.Nothing
}

func beginsLikeOne(path string) bool {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() { // a pipe would block
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	start := make([]byte, len(magic))
	_, err = io.ReadFull(f, start)
	return err == nil && string(start) == magic
}

// source is a model in GGUF files, which are mapped when something is asked for.
type source struct {
	place checkpoint.Place

	mu      sync.Mutex // guards what follows
	file    string     // what errors call the first of the files, when it is open
	model   *model
	tensors *checkpoint.Tensors
	closed  bool
}

// Name is the path that the model was opened by.
func (s *source) Name() string { return s.place.Name }

// Path is the file, of which all is made up, with the field of it that is the template.
func (s *source) Path(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name == templateName {
		return s.called() + ": " + templateField
	}
	return s.called()
}

func (s *source) called() string {
	if s.file == "" {
		return s.place.Name
	}
	return s.file
}

// open maps the files the first time it is called.
func (s *source) open() (*model, error) {
	if s.closed {
		return nil, fmt.Errorf("%s: %w", s.place.Name, fs.ErrClosed)
	}
	if s.model != nil {
		return s.model, nil
	}
	o, file, err := openerOf(s.place)
	if err != nil {
		return nil, err
	}
	if s.model, err = o.open(file); err != nil {
		s.model = nil
		return nil, err
	}
	s.file = o.name(file)
	return s.model, nil
}

// ask is what a function makes of the model; its errors name the file.
func ask[T any](s *source, what func(m *model) (T, error)) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.open()
	if err != nil {
		var none T
		return none, err
	}
	var made T
	err = checkpoint.Guard(func() (err error) {
		if made, err = what(m); err != nil {
			err = fmt.Errorf("%s: %w", s.called(), err)
		}
		return err
	})
	return made, err
}

// Config is made of the metadata.
func (s *source) Config() ([]byte, error) { return ask(s, (*model).config) }

// File is made of the metadata.
func (s *source) File(name string) ([]byte, error) {
	return ask(s, func(m *model) ([]byte, error) {
		switch name {
		case configName:
			return m.config()
		case settingsName:
			return m.settings()
		case templateName:
			return m.template()
		case m.tokenizerName():
			return m.tokenizerFile()
		}
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	})
}

// Others are the files that are made of the metadata.
func (s *source) Others() ([]string, error) {
	return ask(s, func(m *model) ([]string, error) {
		var names []string
		if _, ok := m.meta[templateField]; ok {
			names = append(names, templateName)
		}
		if name := m.tokenizerName(); name != "" {
			names = append(names, name, settingsName)
		}
		slices.Sort(names)
		return names, nil
	})
}

// Tokenizer is made of the metadata, too, where other sources have files of a tokenizer.
func (s *source) Tokenizer() (*tokenizer.Tokenizer, error) { return ask(s, (*model).tokenizer) }

// Warnings are what is odd about the files.
func (s *source) Warnings() []string {
	said, _ := ask(s, func(m *model) ([]string, error) { // an error is told when something is asked for
		all := m.warnings()
		for i, line := range all {
			all[i] = s.called() + ": " + line
		}
		return all, nil
	})
	return said
}

// Tensors are the weights, under the names that Hugging Face has for them.
func (s *source) Tensors() (*checkpoint.Tensors, error) {
	return ask(s, func(m *model) (_ *checkpoint.Tensors, err error) {
		if s.tensors == nil {
			s.tensors, err = m.weights()
		}
		return s.tensors, err
	})
}

// Close gives the maps back.
func (s *source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.tensors = true, nil
	if s.model == nil {
		return nil
	}
	m := s.model
	s.model = nil
	return m.close()
}
