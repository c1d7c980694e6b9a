// Package infile reads files that somebody names, whatever they turn out to be: within a bound, and never without an end.
package infile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Most bounds what is read as a whole where nothing else does, in bytes.
const Most = 256 << 20

// Open opens a file, a pipe or a terminal to be read. Directories, sockets and devices, some of which have no end, are errors,
// except for the empty one. Errors name the path.
func Open(path string) (*os.File, error) {
	if err := Check(path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	return f, named(path, err)
}

// Check says why Open would not open a path, without opening it: a pipe can be opened once.
func Check(path string) error {
	info, err := os.Stat(path)
	if err == nil {
		err = fits(path, info)
	}
	return named(path, err)
}

// Again says why a path could not be read several times: it is no file.
func Again(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s: can be read once only: it is not a regular file", path)
	}
	return nil
}

// fits refuses what is no text: before it is opened, which for some of it never returns.
func fits(path string, info fs.FileInfo) error {
	switch mode := info.Mode(); {
	case mode.IsDir():
		return errors.New("is a directory")
	case mode&fs.ModeSocket != 0:
		return errors.New("is a socket")
	case mode&fs.ModeDevice != 0 && path != os.DevNull && !terminal(info):
		return errors.New("is a device, not a file")
	}
	return nil
}

// Read reads what Open opens, of at most most bytes.
func Read(path string, most int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() > most {
		return nil, tooLong(path, most)
	}
	return ReadAll(f, path, most)
}

// ReadAll reads all of a stream of at most most bytes; name is what errors call it.
func ReadAll(r io.Reader, name string, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, named(name, err)
	}
	if int64(len(data)) > most {
		return nil, tooLong(name, most)
	}
	return data, nil
}

func tooLong(name string, most int64) error {
	return fmt.Errorf("%s: above the limit of %d bytes", name, most)
}

// named is an error with the name in front of its reason, without the system call.
func named(name string, err error) error {
	if err == nil {
		return nil
	}
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		err = p.Err
	}
	if call := (*os.SyscallError)(nil); errors.As(err, &call) {
		err = call.Err
	}
	return fmt.Errorf("%s: %w", name, err)
}
