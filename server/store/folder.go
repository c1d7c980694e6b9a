package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// folder has objects as files. That one is made only where there is none is the file system's promise, and holds for
// all programs that use the folder, on several machines, too, where a network's file system keeps it.
type folder struct{ dir string }

// NewFolder returns a Store in a folder, which it makes if need be and only its owner may read. It keeps blobs for so
// long after they were written; 0 is for ever.
func NewFolder(dir string, keep time.Duration) (Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return OverObjects(&folder{dir}, keep), nil
}

// newPrefix begins the names of files that are not whole yet.
const newPrefix = ".new-"

func (f *folder) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

// Create implements Objects.
func (f *folder) Create(_ context.Context, name string, data []byte) error {
	return f.write(name, data, f.link)
}

// Clear implements Objects.
func (f *folder) Clear(_ context.Context, name string) error {
	return f.write(name, nil, os.Rename)
}

// write makes a file that is whole before it gets its name.
func (f *folder) write(name string, data []byte, giveName func(from, to string) error) error {
	path := f.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return roomy(err)
	}
	t, err := os.CreateTemp(f.dir, newPrefix+"*")
	if err != nil {
		return roomy(err)
	}
	defer os.Remove(t.Name())
	_, err = t.Write(data)
	if err == nil {
		err = t.Sync()
	}
	if err = errors.Join(err, t.Close()); err != nil {
		return roomy(err)
	}
	return roomy(giveName(t.Name(), path))
}

// link gives a file its name if nothing has it: unlike renaming, linking does not replace.
func (f *folder) link(from, to string) error {
	err := os.Link(from, to)
	if errors.Is(err, fs.ErrNotExist) { // the folder was empty, and somebody removed it
		if err = os.MkdirAll(filepath.Dir(to), 0o700); err == nil {
			err = os.Link(from, to)
		}
	}
	return err
}

// roomy is an error that says when a disk is full.
func roomy(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// Open implements Objects.
func (f *folder) Open(_ context.Context, name string) (io.ReadCloser, error) {
	return os.Open(f.path(name))
}

// Remove implements Objects.
func (f *folder) Remove(_ context.Context, name string) error {
	path := f.path(name)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	os.Remove(filepath.Dir(path)) // if it is empty
	return nil
}

// List implements Objects.
func (f *folder) List(ctx context.Context, prefix string) (all []Object, err error) {
	if err := f.Check(ctx); err != nil {
		return nil, err
	}
	root := filepath.Clean(f.path(prefix))
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it has just gone, or was never there
		}
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(f.dir, path)
		if strings.HasPrefix(name, newPrefix) {
			if time.Since(info.ModTime()) > graveTime { // of a program that was killed
				os.Remove(path)
			}
			return nil
		}
		all = append(all, Object{filepath.ToSlash(name), info.Size(), info.ModTime()})
		return err
	})
	return all, err
}

// Check implements Objects.
func (f *folder) Check(context.Context) error {
	if _, err := os.Stat(f.dir); err != nil {
		return fmt.Errorf("the folder of the store: %v", err) // which is no fs.ErrNotExist: that is one of a blob
	}
	return nil
}

// Close implements Objects.
func (f *folder) Close() error { return nil }
