package gguf

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mmrun/mmrun/checkpoint"
)

const ending = ".gguf"

// splitName is the name of one file of a set: what the set is called, its number and how many there are.
var splitName = regexp.MustCompile(`^(.*)-(\d{5})-of-(\d{5})\.gguf$`)

// model is the files of a model: one, or a set.
type model struct {
	meta    map[string]value  // of the first file
	tensors map[string]tensor // of all
	release []func() error
}

func (m *model) has(name string) bool {
	_, ok := m.tensors[name]
	return ok
}

// close gives the maps back.
func (m *model) close() error {
	var failed error
	for _, release := range m.release {
		failed = errors.Join(failed, release())
	}
	m.release = nil
	return failed
}

// opener opens files that lie in one folder.
type opener struct {
	name func(file string) string // what errors call a file
	read func(file string) (data []byte, release func() error, err error)
}

// openerOf opens the files of a place, and file is the one to begin with.
func openerOf(p checkpoint.Place) (o opener, file string, err error) {
	if p.FS != nil {
		if file, err = fileIn(p); err != nil {
			return opener{}, "", err
		}
	}
	switch {
	case p.Path == "":
		o.name = func(file string) string { return path.Join(p.Name, file) }
		o.read = func(file string) ([]byte, func() error, error) {
			data, err := fs.ReadFile(p.FS, file)
			if err != nil {
				var p *fs.PathError
				if errors.As(err, &p) { // without the file's name
					err = p.Err
				}
				return nil, nil, fmt.Errorf("%s: %w", o.name(file), err)
			}
			return data, func() error { return nil }, nil
		}
		return o, file, nil
	case p.FS != nil:
		o.name = func(file string) string { return filepath.Join(p.Path, file) }
	default:
		file = filepath.Base(p.Path)
		o.name = func(file string) string { return strings.TrimSuffix(p.Path, filepath.Base(p.Path)) + file }
	}
	o.read = func(file string) ([]byte, func() error, error) { return checkpoint.Map(o.name(file)) }
	return o, file, nil
}

// filesIn are the names of the GGUF files in a folder; of a set only the first that is there.
func filesIn(folder fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, err
	}
	var names, sets []string
	for _, entry := range entries { // by name
		name := entry.Name()
		if info, err := fs.Stat(folder, name); err != nil || !info.Mode().IsRegular() || !strings.HasSuffix(name, ending) {
			continue // through links
		}
		if parts := splitName.FindStringSubmatch(name); parts != nil {
			set := parts[1] + "/" + parts[3]
			if slices.Contains(sets, set) {
				continue
			}
			sets = append(sets, set)
		}
		names = append(names, name)
	}
	return names, nil
}

// fileIn is the GGUF file of a folder that has one, or one set.
func fileIn(p checkpoint.Place) (string, error) {
	names, err := filesIn(p.FS)
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", p.Name, err)
	case len(names) == 0:
		return "", fmt.Errorf("%s: no %s file: %w", p.Name, ending, fs.ErrNotExist)
	case len(names) > 1:
		return "", fmt.Errorf("%s: %d models lie here (%s); name the file of one", p.Name, len(names), strings.Join(names, ", "))
	}
	return names[0], nil
}

// open reads a file and those that belong to it. Errors name the file they are of.
func (o opener) open(file string) (_ *model, err error) {
	m := &model{tensors: map[string]tensor{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	h, err := m.read(o, file)
	if err != nil {
		return nil, err
	}
	f := &Metadata{meta: h.meta}
	files, _ := f.Optional("split.count")
	if f.err != nil {
		return nil, fmt.Errorf("%s: %w", o.name(file), f.err)
	}
	if files <= 1 {
		m.meta = h.meta
		return m, m.add(o.name(file), h)
	}
	names, err := setOf(file, files)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.name(file), err)
	}
	return m, m.openSet(o, names, file, h)
}

// read reads one file.
func (m *model) read(o opener, file string) (*header, error) {
	data, release, err := o.read(file)
	if err != nil {
		return nil, err
	}
	m.release = append(m.release, release)
	var h *header
	err = checkpoint.Guard(func() (err error) {
		if h, err = parse(data); err != nil {
			err = fmt.Errorf("%s: %w", o.name(file), err)
		}
		return err
	})
	return h, err
}

// setOf are the names of the files of a set, by that of one of them.
func setOf(file string, count int) ([]string, error) {
	parts := splitName.FindStringSubmatch(file)
	if parts == nil || parts[3] != fmt.Sprintf("%05d", count) {
		return nil, fmt.Errorf("split.count: the file is one of %d, which must be called NAME-00001-of-%05d%s and so on", count, count, ending)
	}
	if number, _ := strconv.Atoi(parts[2]); number < 1 || number > count { // five digits
		return nil, fmt.Errorf("split.count: the file is one of %d, and none of them is number %s", count, parts[2])
	}
	var names []string
	for i := range count {
		names = append(names, fmt.Sprintf("%s-%05d-of-%s%s", parts[1], i+1, parts[3], ending))
	}
	return names, nil
}

// openSet reads the files of a set, of which one is read already.
func (m *model) openSet(o opener, names []string, have string, first *header) error {
	total := 0
	for i, file := range names {
		h := first
		if file != have {
			var err error
			if h, err = m.read(o, file); err != nil {
				return err
			}
		}
		f := &Metadata{meta: h.meta}
		number, all := f.Count("split.no"), f.Count("split.count")
		switch {
		case f.err != nil:
		case number != i:
			f.Fail("split.no", "%d, by its name it is number %d", number, i)
		case all != len(names):
			f.Fail("split.count", "%d, that of %s is %d", all, o.name(have), len(names))
		}
		if i == 0 {
			m.meta = h.meta
			total, _ = f.Optional("split.tensors.count")
		}
		if f.err != nil {
			return fmt.Errorf("%s: %w", o.name(file), f.err)
		}
		if err := m.add(o.name(file), h); err != nil {
			return err
		}
	}
	if total != 0 && total != len(m.tensors) {
		return fmt.Errorf("%s: split.tensors.count: %d, all files together have %d", o.name(names[0]), total, len(m.tensors))
	}
	return nil
}

// add takes the tensors of a file.
func (m *model) add(name string, h *header) error {
	for _, t := range h.tensors {
		if m.has(t.name) {
			return fmt.Errorf("%s: tensor %s comes in another file of the set, too", name, quote(t.name))
		}
		m.tensors[t.name] = t
	}
	return nil
}
