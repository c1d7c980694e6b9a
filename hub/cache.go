package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// folder is where the cache has a model.
func (h *Hub) folder(n Name) string {
	return filepath.Join(h.Cache, "models--"+n.Owner+"--"+n.Model)
}

// Find is the path of a model in the cache, or of its file where the name has one. Of several commits it is that of the
// branch main, or without it the last that came. The error is fs.ErrNotExist when it is not there.
func (h *Hub) Find(n Name) (string, error) {
	dir, err := h.snapshot(n)
	if err != nil {
		return "", err
	}
	if n.File == "" {
		return dir, nil
	}
	path := filepath.Join(dir, filepath.FromSlash(n.File))
	if _, err := os.Stat(path); err != nil {
		return "", h.notCached(n)
	}
	return path, nil
}

func (h *Hub) notCached(n Name) error {
	return &Error{404, fmt.Sprintf("%s is not in the Hub's cache %s; 'mmrun pull %s' gets it", n, h.Cache, n)}
}

// snapshot is the folder of a model's commit.
func (h *Hub) snapshot(n Name) (string, error) {
	folder := h.folder(n)
	if commit, err := os.ReadFile(filepath.Join(folder, "refs", "main")); err == nil {
		dir := filepath.Join(folder, "snapshots", strings.TrimSpace(string(commit)))
		if info, err := os.Stat(dir); err == nil && info.IsDir() && isCommit(strings.TrimSpace(string(commit))) {
			return dir, nil
		}
	}
	entries, err := os.ReadDir(filepath.Join(folder, "snapshots"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	last, when := "", time.Time{}
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && entry.IsDir() && (last == "" || info.ModTime().After(when)) {
			last, when = entry.Name(), info.ModTime()
		}
	}
	if last == "" {
		return "", h.notCached(n)
	}
	return filepath.Join(folder, "snapshots", last), nil
}

// isCommit tells a commit's hash.
func isCommit(text string) bool {
	return len(text) == 40 && strings.Trim(text, "0123456789abcdef") == ""
}

// A Cached is a model in the cache.
type Cached struct {
	Name    Name
	Path    string    // of its folder
	Commit  string    // which Find gives
	Files   []string  // sorted, by their names in the model
	Bytes   int64     // of them all
	Partial int64     // bytes of files that did not come to their end
	Changed time.Time // when the last came
}

// List are the models in the cache, sorted by their names.
func (h *Hub) List() ([]Cached, error) {
	entries, err := os.ReadDir(h.Cache)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Cached
	for _, entry := range entries {
		parts := strings.Split(entry.Name(), "--")
		if len(parts) != 3 || parts[0] != "models" {
			continue
		}
		c := Cached{Name: Name{Owner: parts[1], Model: parts[2]}}
		if err := h.look(&c); err != nil {
			return nil, err
		}
		if c.Path != "" || c.Partial > 0 {
			all = append(all, c)
		}
	}
	return all, nil
}

// look fills in what the cache has of a model.
func (h *Hub) look(c *Cached) error {
	blobs, err := os.ReadDir(filepath.Join(h.folder(c.Name), "blobs"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, blob := range blobs {
		if info, err := blob.Info(); err == nil && strings.HasSuffix(blob.Name(), partEnding) {
			c.Partial += info.Size()
		}
	}
	dir, err := h.snapshot(c.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	c.Path, c.Commit = dir, filepath.Base(dir)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := os.Stat(path) // through the link
		if err != nil {
			return nil // whose blob is gone
		}
		name, err := filepath.Rel(dir, path)
		c.Files = append(c.Files, filepath.ToSlash(name))
		c.Bytes += info.Size()
		if info.ModTime().After(c.Changed) {
			c.Changed = info.ModTime()
		}
		return err
	})
	slices.Sort(c.Files)
	return err
}

// link makes a file of a commit: a link to its blob, or a copy where there are no links.
func link(blob, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	to, err := filepath.Rel(filepath.Dir(path), blob)
	if err != nil {
		return err
	}
	if now, err := os.Readlink(path); err == nil && now == to {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if os.Symlink(to, path) == nil || os.Link(blob, path) == nil {
		return nil
	}
	data, err := os.ReadFile(blob)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o666)
}
