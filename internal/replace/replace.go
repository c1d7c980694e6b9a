// Package replace writes files and folders as a whole: under a temporary name beside the one that is meant, which
// is taken when all is written. So the name stands for what was there before or for what is complete, whatever
// ends the program. What a killed run has left is removed by the next one that writes to the same name.
package replace

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const suffix = ".tmp"

// File writes path. Where it is a file already, that keeps its permissions; where it is a symbolic link, what it leads to
// is replaced. Errors name path.
func File(path string, write func(w io.Writer) error) (err error) {
	to := target(path)
	f, err := create(to)
	if err != nil {
		return failed(path, err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = failed(path, err, f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), to)
}

// create opens a temporary file for to, with its permissions.
func create(to string) (*os.File, error) {
	clear(to)
	f, err := os.CreateTemp(filepath.Dir(to), pattern(to))
	if err != nil {
		return nil, err
	}
	hold(f)
	mode := fs.FileMode(0o666) &^ umask()
	if info, err := os.Stat(to); err == nil {
		mode = info.Mode().Perm()
	}
	if err := f.Chmod(mode); err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, err
	}
	return f, nil
}

// Folder makes the folder path, which must not be there, out of what fill writes to the folder that it is given. Errors
// name path, and of what lies in it the place that it would have had.
func Folder(path string, fill func(dir string) error) (err error) {
	clear(path)
	dir, err := os.MkdirTemp(filepath.Dir(path), pattern(path))
	if err != nil {
		return failed(path, err)
	}
	held, err := os.Open(dir)
	if err == nil {
		hold(held)
		defer held.Close()
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
			err = failed(path, err, dir)
		}
	}()
	if err := os.Chmod(dir, 0o777&^umask()); err != nil {
		return err
	}
	if err := fill(dir); err != nil {
		return err
	}
	return os.Rename(dir, path)
}

// target is what path leads to: itself, unless it is a symbolic link to something.
func target(path string) string {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if to, err := filepath.EvalSymlinks(path); err == nil {
			return to
		}
	}
	return path
}

// pattern is that of the temporary names for a path.
func pattern(path string) string { return "." + filepath.Base(path) + ".*" + suffix }

// clear removes what runs that are dead have left for a path: nobody holds it.
func clear(path string) {
	before, after, _ := strings.Cut(pattern(path), "*")
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return
	}
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, before) && strings.HasSuffix(name, after) && digits(name[len(before):len(name)-len(after)]) {
			if name = filepath.Join(filepath.Dir(path), name); dead(name) {
				os.RemoveAll(name)
			}
		}
	}
}

// digits says whether s is what os.CreateTemp puts in place of the star.
func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// failed is an error in words of path: the temporary name is nobody's business.
func failed(path string, err error, temporary ...string) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p) && (len(temporary) == 0 || p.Path == temporary[0]):
		return fmt.Errorf("%s: %w", path, p.Err)
	case errors.As(err, &l):
		return fmt.Errorf("%s: %w", path, l.Err)
	case errors.As(err, &p) && strings.HasPrefix(p.Path, temporary[0]+string(filepath.Separator)):
		return fmt.Errorf("%s: %w", path+p.Path[len(temporary[0]):], p.Err)
	}
	return err
}
