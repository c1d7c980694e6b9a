package server

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mmrun/mmrun/engine"
)

// A diskCache is where states go that the memory has no room for: a folder with a file for each, named by what the
// state is of.
type diskCache struct {
	dir  string
	most int64
	log  *slog.Logger

	mu    sync.Mutex
	files map[place]diskFile
	bytes int64
}

type diskFile struct {
	size int64
	used time.Time
}

const (
	stateSuffix = ".state"
	newPrefix   = ".new-" // of a file that is not whole yet
)

// openDisk reads what is in a folder, which it makes if need be.
func openDisk(dir string, most int64, log *slog.Logger) (*diskCache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	d := &diskCache{dir: dir, most: most, log: log, files: map[place]diskFile{}}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), newPrefix) { // of a process that was killed
			os.Remove(filepath.Join(dir, e.Name()))
		}
		p, ok := parsePlace(e.Name())
		info, err := e.Info()
		if !ok || err != nil || !info.Mode().IsRegular() {
			continue // not ours
		}
		d.files[p] = diskFile{info.Size(), info.ModTime()}
		d.bytes += info.Size()
	}
	return d, nil
}

// name is the file of a place.
func (d *diskCache) name(p place) string {
	return filepath.Join(d.dir, hex.EncodeToString(p.model[:8])+"-"+hex.EncodeToString(p.sum[:])+"-"+hex.EncodeToString(p.model[8:])+stateSuffix)
}

// parsePlace reads the name of a file.
func parsePlace(name string) (p place, ok bool) {
	bare, ok := strings.CutSuffix(name, stateSuffix)
	parts := strings.Split(bare, "-")
	if !ok || len(parts) != 3 || len(parts[0]) != 16 || len(parts[1]) != 64 || len(parts[2]) != 48 {
		return place{}, false
	}
	_, err1 := hex.Decode(p.model[:8], []byte(parts[0]))
	_, err2 := hex.Decode(p.sum[:], []byte(parts[1]))
	_, err3 := hex.Decode(p.model[8:], []byte(parts[2]))
	return p, cmp.Or(err1, err2, err3) == nil
}

func (d *diskCache) has(p place) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.files[p]
	return ok
}

// get reads a state; nil when it is not there or cannot be read.
func (d *diskCache) get(p place) []byte {
	if !d.has(p) {
		return nil
	}
	data, err := os.ReadFile(d.name(p))
	if err != nil {
		d.log.Warn("a kept state cannot be read", "error", err)
		d.drop(p)
		return nil
	}
	if h, err := engine.ReadSaved(data); err != nil || h.Model != p.model || h.Tokens != p.sum {
		d.log.Warn("a kept state is not what its name says", "file", d.name(p), "error", err)
		d.drop(p)
		return nil
	}
	now := time.Now()
	d.mu.Lock()
	d.files[p] = diskFile{int64(len(data)), now}
	d.mu.Unlock()
	os.Chtimes(d.name(p), now, now) // only the order in which states go depends on it
	return data
}

// put writes a state, and removes those longest unused if there are too many bytes.
func (d *diskCache) put(p place, data []byte) {
	if d.has(p) || int64(len(data)) > d.most {
		return
	}
	if err := writeWhole(d.name(p), data); err != nil {
		d.log.Warn("a state cannot be kept on the disk", "error", err)
		return
	}
	d.mu.Lock()
	d.files[p] = diskFile{int64(len(data)), time.Now()}
	d.bytes += int64(len(data))
	out := d.shrink()
	d.mu.Unlock()
	for _, p := range out {
		d.remove(p)
	}
}

// shrink takes out what is too much. The caller has the lock.
func (d *diskCache) shrink() (out []place) {
	if d.bytes <= d.most {
		return nil
	}
	for p := range d.files {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b place) int { return d.files[a].used.Compare(d.files[b].used) })
	n := 0
	for ; d.bytes > d.most-d.most/10 && n < len(out)-1; n++ {
		d.bytes -= d.files[out[n]].size
		delete(d.files, out[n])
	}
	return out[:n]
}

// drop forgets a state.
func (d *diskCache) drop(p place) {
	d.mu.Lock()
	f, ok := d.files[p]
	delete(d.files, p)
	d.bytes -= f.size
	d.mu.Unlock()
	if ok {
		d.remove(p)
	}
}

func (d *diskCache) remove(p place) {
	if err := os.Remove(d.name(p)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Warn("a state cannot be removed", "error", err)
	}
}

// writeWhole writes a file that is there as a whole or not at all.
func writeWhole(name string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), newPrefix+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = fmt.Errorf("%s: %w", name, err)
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
