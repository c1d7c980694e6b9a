package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// A Store keeps sessions, each as one blob by its id, which has no slash and no dot in front. Several goroutines use
// it at a time. A blob is written as a whole or not at all. Where several servers share one, any of them goes on
// with any session.
type Store interface {
	// Put writes a blob. With create it is an error that is fs.ErrExist if there is one of that id; without, it
	// replaces what there is. ErrStoreFull says that there is no room.
	Put(ctx context.Context, id string, blob []byte, create bool) error
	// Open reads a blob; an error that is fs.ErrNotExist says that there is none.
	Open(ctx context.Context, id string) (io.ReadCloser, error)
	// Delete removes a blob; an error that is fs.ErrNotExist says that there is none.
	Delete(ctx context.Context, id string) error
	// List names all blobs.
	List(ctx context.Context) ([]string, error)
	// Close gives back what the store holds.
	Close() error
}

// ErrStoreFull says that a store has no room for a blob.
var ErrStoreFull = errors.New("there is no room for another session")

// memoryStore keeps sessions in memory, within the bound of the cache of states.
type memoryStore struct {
	cache *stateCache
	mu    sync.Mutex
	blobs map[string][]byte
}

func newMemoryStore(c *stateCache) *memoryStore {
	return &memoryStore{cache: c, blobs: map[string][]byte{}}
}

// Put implements Store.
func (m *memoryStore) Put(_ context.Context, id string, blob []byte, create bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	was, ok := m.blobs[id]
	if create && ok {
		return fs.ErrExist
	}
	if !m.cache.reserve(int64(len(blob) - len(was))) {
		return ErrStoreFull
	}
	m.blobs[id] = blob
	return nil
}

// Open implements Store.
func (m *memoryStore) Open(_ context.Context, id string) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	blob, ok := m.blobs[id]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(blob)), nil
}

// Delete implements Store.
func (m *memoryStore) Delete(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	blob, ok := m.blobs[id]
	if !ok {
		return fs.ErrNotExist
	}
	delete(m.blobs, id)
	m.cache.reserve(-int64(len(blob)))
	return nil
}

// List implements Store.
func (m *memoryStore) List(context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := make([]string, 0, len(m.blobs))
	for id := range m.blobs {
		ids = append(ids, id)
	}
	return ids, nil
}

// Close implements Store.
func (m *memoryStore) Close() error { return nil }

// dirStore keeps sessions in a folder, each in a file.
type dirStore struct {
	dir string
	mu  sync.Mutex // of writes: that there is no such file yet is seen before one is made
}

const sessionSuffix = ".session"

// NewDirStore returns a Store in a folder, which it makes if need be.
func NewDirStore(dir string) (Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &dirStore{dir: dir}, nil
}

func (d *dirStore) file(id string) string { return filepath.Join(d.dir, id+sessionSuffix) }

// Put implements Store.
func (d *dirStore) Put(_ context.Context, id string, blob []byte, create bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if create {
		if _, err := os.Stat(d.file(id)); !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(err, fs.ErrExist)
		}
	}
	return writeWhole(d.file(id), blob)
}

// Open implements Store.
func (d *dirStore) Open(_ context.Context, id string) (io.ReadCloser, error) {
	return os.Open(d.file(id))
}

// Delete implements Store.
func (d *dirStore) Delete(_ context.Context, id string) error { return os.Remove(d.file(id)) }

// List implements Store.
func (d *dirStore) List(context.Context) (ids []string, err error) {
	entries, err := os.ReadDir(d.dir)
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), sessionSuffix); ok && validID(id) {
			ids = append(ids, id)
		}
	}
	return ids, err
}

// Close implements Store.
func (d *dirStore) Close() error { return nil }
