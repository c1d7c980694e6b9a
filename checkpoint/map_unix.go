//go:build unix

package checkpoint

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// What a large file has of its size at least; the rest may be holes, which take memory and no room on a disk.
const (
	largeFile  = 64 << 20 // bytes
	hugeFile   = 1 << 40  // for which no machine has the memory, and asking for it fails at once
	mostHollow = 64
)

// hollow is an error of a file that is nearly all holes, as one is whose download has begun.
func hollow(f *os.File, size int) error {
	var stat unix.Stat_t
	fd := int(f.Fd())
	if size < largeFile || size > hugeFile || unix.Fstat(fd, &stat) != nil || stat.Blocks > int64(size)/512/mostHollow {
		return nil
	}
	there := int64(0) // some file systems say nothing of blocks, but know holes
	for at := int64(0); at < int64(size) && there <= int64(size)/mostHollow; {
		from, err := unix.Seek(fd, at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break
		}
		if err == nil {
			at, err = unix.Seek(fd, from, unix.SEEK_HOLE)
		}
		if err != nil {
			return nil
		}
		there += at - from
	}
	if there > int64(size)/mostHollow {
		return nil
	}
	return fmt.Errorf("only %d of its %d bytes are there, the rest is holes: a download that has not ended?", there, size)
}

// mapFile maps the file's first size bytes read-only.
func mapFile(f *os.File, size int) (data []byte, release func() error, err error) {
	if err := hollow(f, size); err != nil {
		return nil, nil, err
	}
	data, err = unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, fmt.Errorf("mmap of %d bytes: %w", size, err)
	}
	return data, func() error { return unix.Munmap(data) }, nil
}
