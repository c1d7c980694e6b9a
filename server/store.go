package server

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mmrun/mmrun/server/store"
)

// memoryStore keeps sessions in memory, within the bound of the cache of states.
type memoryStore struct {
	cache *stateCache
	keep  time.Duration // 0 is for ever

	mu     sync.Mutex
	blobs  map[string]blob
	writes uint64
}

type blob struct {
	data    []byte
	version string
	written time.Time
}

func newMemoryStore(c *stateCache, keep time.Duration) *memoryStore {
	return &memoryStore{cache: c, keep: keep, blobs: map[string]blob{}}
}

// Put implements store.Store.
func (m *memoryStore) Put(_ context.Context, key string, data []byte, was string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.blobs[key]
	if old.version != was {
		return store.ErrChanged
	}
	if !m.cache.reserve(int64(len(data) - len(old.data))) {
		return store.ErrFull
	}
	m.writes++
	m.blobs[key] = blob{data, strconv.FormatUint(m.writes, 10), time.Now()}
	return nil
}

// Open implements store.Store.
func (m *memoryStore) Open(_ context.Context, key string) (io.ReadCloser, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blobs[key]
	if !ok {
		return nil, "", fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(b.data)), b.version, nil
}

// Delete implements store.Store.
func (m *memoryStore) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.drop(key)
}

// drop removes a blob. The caller has the lock.
func (m *memoryStore) drop(key string) error {
	b, ok := m.blobs[key]
	if !ok {
		return fs.ErrNotExist
	}
	delete(m.blobs, key)
	m.cache.reserve(-int64(len(b.data)))
	return nil
}

// List implements store.Store.
func (m *memoryStore) List(_ context.Context, part string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for key := range m.blobs {
		if strings.HasPrefix(key, part+"/") {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// Sweep implements store.Store.
func (m *memoryStore) Sweep(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, b := range m.blobs {
		if m.keep > 0 && time.Since(b.written) > m.keep {
			m.drop(key)
		}
	}
	return nil
}

// Check implements store.Store.
func (m *memoryStore) Check(context.Context) error { return nil }

// Close implements store.Store.
func (m *memoryStore) Close() error { return nil }
