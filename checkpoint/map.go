package checkpoint

import (
	"fmt"
	"math"
	"os"
)

// Map maps the file at a path read-only; release gives the map back. The file must not shrink while it is mapped:
// reading a page that is gone is a fault, not an error. Errors name the file. An empty file has no bytes and needs
// no map; one that is a Git LFS pointer is an error.
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
	if err := NoPointer(data); err != nil {
		release()
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return data, release, nil
}
