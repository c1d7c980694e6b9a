package checkpoint

import (
	"bytes"
	"errors"
)

// errPointer says what is there in place of a file, and how the file is got.
var errPointer = errors.New("a Git LFS pointer lies here, not the file itself; 'git lfs pull' in its folder gets that, and so does 'mmrun pull OWNER/NAME'")

// NoPointer is an error where the bytes of a file are those that Git LFS leaves in its place.
func NoPointer(data []byte) error {
	const most = 1024 // bytes, of Git LFS's own definition
	if len(data) <= most && bytes.HasPrefix(data, []byte("version https://git-lfs.github.com/spec/")) {
		return errPointer
	}
	return nil
}
