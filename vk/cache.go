package vk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"unsafe"

	vulkan "github.com/goki/vulkan"
)

const (
	// A cache file is cacheMagic, the CRC-64 (ECMA) of the rest, and the driver's own data.
	cacheMagic  = "mmrunpc1"
	cachePrefix = len(cacheMagic) + 8
	// The driver's data begins with VkPipelineCacheHeaderVersionOne.
	cacheHeader = 32
	maxCache    = 256 << 20
)

var cacheTable = crc64.MakeTable(crc64.ECMA)

// pipelineCache is the VkPipelineCache and its file.
type pipelineCache struct {
	handle vulkan.PipelineCache
	path   string // empty: nowhere to keep it
	loaded []byte // what the driver's data was when read
	err    error  // why the file could not be read or written
}

// CacheError says why the pipeline cache could not be read at Open or, asked after Close, not
// written. It is nil when it could; a file that does not exist yet is no error.
func (d *Device) CacheError() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cache.err
}

// openCache makes the pipeline cache, out of the file when that is good. Only a failure of Vulkan
// is an error.
func (d *Device) openCache(dir string) error {
	c := &d.cache
	c.path, c.err = cachePath(dir, d.phys)
	if c.err == nil {
		c.loaded, c.err = readCache(c.path, d.phys)
	}
	info := vulkan.PipelineCacheCreateInfo{SType: vulkan.StructureTypePipelineCacheCreateInfo}
	defer info.Free()
	// A header alone is nothing to begin with, and SwiftShader would write it twice.
	if n := len(c.loaded); n > cacheHeader {
		info.InitialDataSize, info.PInitialData = uint64(n), unsafe.Pointer(&c.loaded[0])
		var pin runtime.Pinner // the binding stores the pointer in C memory
		pin.Pin(&c.loaded[0])
		defer pin.Unpin()
	}
	var handle vulkan.PipelineCache
	if err := failed("vkCreatePipelineCache", vulkan.CreatePipelineCache(d.handle, &info, nil, &handle)); err != nil {
		return err
	}
	c.handle = handle
	d.counts.add(cacheHandle, 1)
	return nil
}

// cachePath is the file for a device and driver.
func cachePath(dir string, p *physical) (string, error) {
	path, err := keptPath(dir, p.info, "pipelines", ".bin")
	if err != nil {
		return "", fmt.Errorf("pipeline cache: %w", err)
	}
	return path, nil
}

// readCache returns the driver's data in a file; nil without an error when there is no file.
func readCache(path string, p *physical) ([]byte, error) {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("pipeline cache: %w", err)
	}
	if !st.Mode().IsRegular() || st.Size() > maxCache { // before opening: a pipe would block there
		return nil, fmt.Errorf("pipeline cache: %s is not a file of at most %d bytes", path, maxCache)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("pipeline cache: %w", err)
	}
	defer f.Close()
	b := make([]byte, st.Size())
	if _, err := f.ReadAt(b, 0); err != nil {
		return nil, fmt.Errorf("pipeline cache: %w", err)
	}
	data, err := checkCache(b, uint32(p.c.vendor), uint32(p.c.device), unsafe.Slice((*byte)(unsafe.Pointer(&p.c.cache_uuid)), 16))
	if err != nil {
		return nil, fmt.Errorf("pipeline cache: %s: %w", path, err)
	}
	return data, nil
}

// checkCache returns the driver's data of a cache file that is whole and of this device and driver.
// Drivers check little of what they are given, so a damaged file must not get that far.
func checkCache(b []byte, vendor, device uint32, uuid []byte) ([]byte, error) {
	if len(b) < cachePrefix+cacheHeader || string(b[:len(cacheMagic)]) != cacheMagic {
		return nil, fmt.Errorf("not a pipeline cache")
	}
	data := b[cachePrefix:]
	if sum := binary.LittleEndian.Uint64(b[len(cacheMagic):]); sum != crc64.Checksum(data, cacheTable) {
		return nil, fmt.Errorf("damaged: the checksum differs")
	}
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(data[4*i:]) }
	if word(0) != cacheHeader || word(1) != 1 {
		return nil, fmt.Errorf("header of %d bytes, version %d; want %d, 1", word(0), word(1), cacheHeader)
	}
	if word(2) != vendor || word(3) != device || !bytes.Equal(data[16:32], uuid) {
		return nil, fmt.Errorf("made by another device or driver")
	}
	return data, nil
}

// closeCache writes the cache back if it has changed, and destroys it.
func (d *Device) closeCache() {
	c := &d.cache
	if c.handle == nil {
		return
	}
	if c.path != "" {
		if err := d.saveCache(); err != nil {
			c.err = fmt.Errorf("pipeline cache: %w", err)
		}
	}
	vulkan.DestroyPipelineCache(d.handle, c.handle, nil)
	d.counts.add(cacheHandle, -1)
	c.handle = nil
}

func (d *Device) saveCache() error {
	c := &d.cache
	var n uint64
	if err := failed("vkGetPipelineCacheData", vulkan.GetPipelineCacheData(d.handle, c.handle, &n, nil)); err != nil {
		return err
	}
	if n < cacheHeader || n > maxCache-uint64(cachePrefix) {
		return nil // no cache in the sense of the specification, or one readCache would refuse
	}
	b := make([]byte, uint64(cachePrefix)+n)
	r := vulkan.GetPipelineCacheData(d.handle, c.handle, &n, unsafe.Pointer(&b[cachePrefix]))
	if err := failed("vkGetPipelineCacheData", r); err != nil {
		return err
	}
	b = b[:uint64(cachePrefix)+n]
	data := b[cachePrefix:]
	if bytes.Equal(data, c.loaded) {
		return nil
	}
	copy(b, cacheMagic)
	binary.LittleEndian.PutUint64(b[len(cacheMagic):], crc64.Checksum(data, cacheTable))
	return writeFile(c.path, b)
}

// writeFile writes through a temporary file, so that a reader sees all of it or the old one.
func writeFile(path string, b []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(b)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
