package checkpoint

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
)

// Map maps the file at a path read-only; release gives the map back, and its error is [ErrChanged] when another program
// has changed the file in the meantime, so that what was read of it may be half of one and half of another. What looks at
// the bytes does so within [Guard]: a page that is gone, as the file has become shorter, is a fault elsewhere. Errors
// name the file. An empty file has no bytes and needs no map; one that is a Git LFS pointer is an error.
func Map(path string) (data []byte, release func() error, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, reason(path, err)
	}
	if !info.Mode().IsRegular() { // before opening: a pipe would block there
		return nil, nil, fmt.Errorf("%s: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, reason(path, err)
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, nil, reason(path, err)
	}
	if info.Size() > math.MaxInt {
		return nil, nil, fmt.Errorf("%s: %d bytes are more than this platform can address", path, info.Size())
	}
	if info.Size() == 0 {
		return nil, func() error { return nil }, nil
	}
	if data, release, err = mapFile(f, int(info.Size())); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	m := &mapping{name: path, data: data, info: info}
	m.register()
	unmap := release
	release = sync.OnceValue(func() error { return errors.Join(m.forget(), unmap()) })
	err = Guard(func() error {
		if err := NoPointer(data); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
	if err != nil {
		release()
		return nil, nil, err
	}
	return data, release, nil
}
