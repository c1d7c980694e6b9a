package vk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// mostKept bounds what is read of a file.
const mostKept = 1 << 20

// keptPath is a file of a device and driver, in a folder or, where that is empty, in mmrun's of the user's cache.
func keptPath(dir string, i Info, name, extension string) (string, error) {
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(user, "mmrun")
	}
	return filepath.Join(dir, fmt.Sprintf("%s-%08x-%08x-%s%s", name, i.VendorID, i.DeviceID, strings.ReplaceAll(i.DriverUUID, "-", ""), extension)), nil
}

// Kept returns what Keep has kept of a device and driver under a name, nil where there is nothing. dir is as in
// Options.CacheDir.
func Kept(dir string, i Info, name string) ([]byte, error) {
	path, err := keptPath(dir, i, name, ".json")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if !st.Mode().IsRegular() || st.Size() > mostKept {
		return nil, fmt.Errorf("%s: %s is not a file of at most %d bytes", name, path, mostKept)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

// Keep keeps data about a device and driver under a name, beside the device's pipeline cache.
func Keep(dir string, i Info, name string, data []byte) error {
	path, err := keptPath(dir, i, name, ".json")
	if err == nil {
		err = writeFile(path, data)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
