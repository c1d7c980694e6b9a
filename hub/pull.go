package hub

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Pull gets what it takes to run a model, or the file that the name has, and gives its path in the cache. What is there
// already is not asked for again, what came in part goes on, and every file is held against its hash. progress is told
// of bytes, of all files together; it may be nil.
func (h *Hub) Pull(ctx context.Context, n Name, progress func(done, total int64)) (string, error) {
	if h.Offline {
		path, err := h.Find(n)
		if err != nil {
			return "", fmt.Errorf("HF_HUB_OFFLINE is set, and %w", err)
		}
		return path, nil
	}
	var files *listing
	err := h.persist(ctx, func() (more bool, err error) { files, err = h.list(ctx, n); return false, err })
	if err != nil {
		return "", err
	}
	var names []string
	for _, file := range files.Files {
		if isPlain(file.Name) { // others would lie outside the cache
			names = append(names, file.Name)
		}
	}
	slices.Sort(names)
	names, err = choose(n, names)
	if err != nil {
		return "", err
	}
	p := &pull{hub: h, name: n, commit: files.Commit, progress: progress}
	if err := p.look(ctx, names); err != nil {
		return "", err
	}
	for _, f := range p.files {
		if err := p.get(ctx, f); err != nil {
			return "", fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if err := p.finish(); err != nil {
		return "", err
	}
	return h.Find(n)
}

// A pull is one call of Pull.
type pull struct {
	hub         *Hub
	name        Name
	commit      string
	files       []*file
	done, total int64
	progress    func(done, total int64)
}

// A file is one of a model, as the Hub describes it.
type file struct {
	name string
	tag  string // its hash, by which the blob is called
	size int64
	most int64 // bytes that were there at once
}

// look asks for the size and the hash of every file.
func (p *pull) look(ctx context.Context, names []string) error {
	for _, name := range names {
		var f *file
		err := p.hub.persist(ctx, func() (more bool, err error) { f, err = p.head(ctx, name); return false, err })
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		p.files = append(p.files, f)
		p.total += f.size
	}
	return nil
}

// address is where a file is asked for.
func (p *pull) address(name string) string {
	parts := strings.Split(name, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return fmt.Sprintf("%s/%s/resolve/%s/%s", p.hub.Endpoint, p.name.Repo(), p.commit, strings.Join(parts, "/"))
}

var tagForm = regexp.MustCompile(`^(?:W/)?"?([A-Za-z0-9_-]{1,128})"?$`)

// head asks for a file's size and hash, which the Hub says where it redirects to the host of files.
func (p *pull) head(ctx context.Context, name string) (*file, error) {
	answer, err := p.hub.send(ctx, http.MethodHead, p.address(name), "", true)
	if err != nil {
		return nil, err
	}
	answer.Body.Close()
	if answer.StatusCode/100 > 3 {
		return nil, p.hub.refused(Name{p.name.Owner, p.name.Model, name}, answer)
	}
	first := func(keys ...string) string {
		for _, key := range keys {
			if value := answer.Header.Get(key); value != "" {
				return value
			}
		}
		return ""
	}
	m := tagForm.FindStringSubmatch(first("X-Linked-Etag", "ETag"))
	size, err := strconv.ParseInt(first("X-Linked-Size", "Content-Length"), 10, 64)
	if m == nil || err != nil || size < 0 {
		return nil, fmt.Errorf("%s says neither hash nor size of it", p.hub.Endpoint)
	}
	return &file{name: name, tag: m[1], size: size}, nil
}

// blob is where a file's content lies.
func (p *pull) blob(f *file) string { return filepath.Join(p.hub.folder(p.name), "blobs", f.tag) }

// get gets one file, unless it is there, and makes the link to it.
func (p *pull) get(ctx context.Context, f *file) error {
	blob := p.blob(f)
	if err := os.MkdirAll(filepath.Dir(blob), 0o777); err != nil {
		return err
	}
	lock := filepath.Join(p.hub.Cache, ".locks", filepath.Base(p.hub.folder(p.name)), f.tag+".lock")
	unlock, err := locked(ctx, lock)
	if err != nil {
		return err
	}
	defer unlock()
	if info, err := os.Stat(blob); err != nil || info.Size() != f.size {
		if err := p.fetch(ctx, f, blob); err != nil {
			return err
		}
	}
	p.done += f.size
	p.tell(0)
	return link(blob, filepath.Join(p.hub.folder(p.name), "snapshots", p.commit, filepath.FromSlash(f.name)))
}

func (p *pull) tell(more int64) {
	if p.progress != nil {
		p.progress(p.done+more, p.total)
	}
}

// finish says which commit the branch is at.
func (p *pull) finish() error {
	ref := filepath.Join(p.hub.folder(p.name), "refs", "main")
	if err := os.MkdirAll(filepath.Dir(ref), 0o777); err != nil {
		return err
	}
	temporary := fmt.Sprintf("%s.%d.tmp", ref, os.Getpid())
	if err := os.WriteFile(temporary, []byte(p.commit), 0o666); err != nil {
		return err
	}
	return os.Rename(temporary, ref)
}
