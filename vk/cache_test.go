package vk

import (
	"encoding/binary"
	"hash/crc64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// cacheFile is a well-formed cache file.
func cacheFile(vendor, device uint32, uuid, payload []byte) []byte {
	data := words(cacheHeader, 1, vendor, device)
	data = append(append(data, uuid...), payload...)
	b := binary.LittleEndian.AppendUint64([]byte(cacheMagic), crc64.Checksum(data, cacheTable))
	return append(b, data...)
}

func TestCheckCache(t *testing.T) {
	uuid := noise(16, 1)
	good := cacheFile(1, 2, uuid, []byte("pipelines"))
	data, err := checkCache(good, 1, 2, uuid)
	if err != nil || string(data[cacheHeader:]) != "pipelines" {
		t.Fatalf("a good file: %q, %v", data, err)
	}
	change := func(i int) []byte {
		b := slices.Clone(good)
		b[i] ^= 1
		return b
	}
	version := cacheFile(1, 2, uuid, nil)
	version[cachePrefix+4] = 2
	binary.LittleEndian.PutUint64(version[len(cacheMagic):], crc64.Checksum(version[cachePrefix:], cacheTable))
	for _, c := range []struct {
		b    []byte
		want string
	}{
		{nil, "not a pipeline cache"},
		{good[:cachePrefix+cacheHeader-1], "not a pipeline cache"},
		{change(0), "not a pipeline cache"},
		{good[:len(good)-1], "checksum"},
		{change(len(good) - 1), "checksum"},
		{change(cachePrefix), "checksum"},
		{version, "version 2"},
		{cacheFile(3, 2, uuid, nil), "another device or driver"},
		{cacheFile(1, 3, uuid, nil), "another device or driver"},
		{cacheFile(1, 2, noise(16, 2), nil), "another device or driver"},
	} {
		if _, err := checkCache(c.b, 1, 2, uuid); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d bytes: %v, want %q", len(c.b), err, c.want)
		}
	}
}

// session opens a device on a cache folder, makes a pipeline and closes; it returns the cache's
// errors after Open and after Close, and the file, "" when there is none.
func session(t *testing.T, dir string) (opened, closed error, file string) {
	t.Helper()
	d, err := Open(Options{CacheDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	opened = d.CacheError()
	pipeline(t, d, "axpy", 64)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) > 1 {
		t.Fatalf("cache folder holds %v, %v", files, err)
	}
	if len(files) == 1 {
		file = files[0]
	}
	return opened, d.CacheError(), file
}

func TestCacheIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "when needed")
	opened, closed, file := session(t, dir)
	if opened != nil || closed != nil || file == "" {
		t.Fatalf("first time: %v, %v, file %q", opened, closed, file)
	}
	if name := filepath.Base(file); !strings.HasPrefix(name, "pipelines-") || !strings.HasSuffix(name, ".bin") {
		t.Errorf("cache file %s", name)
	}
	past := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(file, past, past); err != nil {
		t.Fatal(err)
	}
	if opened, closed, _ := session(t, dir); opened != nil || closed != nil {
		t.Errorf("second time: %v, %v", opened, closed)
	}
	st, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if !st.ModTime().Equal(past) {
		t.Error("written again though nothing changed")
	}
	if err := os.WriteFile(file, []byte("spoilt"), 0o644); err != nil {
		t.Fatal(err)
	}
	opened, closed, _ = session(t, dir)
	if opened == nil || !strings.Contains(opened.Error(), file) {
		t.Errorf("a spoilt file: %v, want its name", opened)
	}
	if closed != opened {
		t.Errorf("after writing a spoilt file anew: %v", closed)
	}
	if opened, _, _ := session(t, dir); opened != nil {
		t.Errorf("the spoilt file was not replaced: %v", opened)
	}
}

// TestCacheFolderUnusable: the folder's place is taken by a file.
func TestCacheFolderUnusable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	opened, closed, _ := session(t, dir)
	if opened == nil {
		t.Error("open: no cache error")
	}
	if closed == nil {
		t.Error("close: no cache error")
	}
}

func TestCachePath(t *testing.T) {
	p := &physical{info: Info{VendorID: 0x1002, DeviceID: 0x73bf, DriverUUID: formatUUID(make([]byte, 16))}}
	t.Setenv("HOME", "/home/someone")
	t.Setenv("XDG_CACHE_HOME", "")
	const name = "pipelines-00001002-000073bf-00000000000000000000000000000000.bin"
	path, err := cachePath("", p)
	if err != nil || filepath.Base(path) != name || filepath.Base(filepath.Dir(path)) != "mmrun" {
		t.Errorf("%s, %v", path, err)
	}
	if path, err := cachePath("here", p); err != nil || path != filepath.Join("here", name) {
		t.Errorf("%s, %v", path, err)
	}
	t.Setenv("HOME", "")
	if path, err := cachePath("", p); err == nil {
		t.Errorf("no home: %s", path)
	}
}
