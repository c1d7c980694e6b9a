package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// Objects is what a Store can stand on: anything that has objects by name and makes one only where there is none.
// Several programs may use the same. Names are parts of keys with slashes between.
type Objects interface {
	// Create makes an object, as a whole or not at all; an error that is fs.ErrExist says that there is one.
	Create(ctx context.Context, name string, data []byte) error
	// Open reads an object; an error that is fs.ErrNotExist says that there is none.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// Clear makes an object an empty one, and one where there is none.
	Clear(ctx context.Context, name string) error
	// Remove removes an object. That there is none is no error.
	Remove(ctx context.Context, name string) error
	// List has all objects whose names begin with a prefix that ends with a slash or is empty.
	List(ctx context.Context, prefix string) ([]Object, error)
	// Check says whether the objects can be used now.
	Check(ctx context.Context) error
	// Close gives back what is held.
	Close() error
}

// An Object is one in a list.
type Object struct {
	Name    string
	Size    int64
	Written time.Time
}

// numbered keeps every version of a blob as an object of its own, whose name is the key and a number. The blob is that
// of the highest number. A new version is made by creating the next number: of several writers that know the same
// version one alone can. Afterwards the one below is made empty. It stays for a while, so that a writer who comes late
// finds its number taken, however far others are by then. So does an empty object with the highest number, which says
// that the blob was deleted.
type numbered struct {
	objects Objects
	keep    time.Duration
}

const (
	graveTime  = time.Hour // after which nobody goes on from a version that was current before
	nonceBytes = 16        // before the blob, so that a writer knows its own object
	digits     = 20
)

// OverObjects returns a Store that keeps its blobs as objects, for so long after they were written; 0 is for ever.
func OverObjects(o Objects, keep time.Duration) Store { return &numbered{o, keep} }

func objectName(key string, n uint64) string { return fmt.Sprintf("%s/%0*d", key, digits, n) }

// parseObject is the key and the number of an object; false for what is none of ours.
func parseObject(name string) (key string, n uint64, ok bool) {
	at := strings.LastIndexByte(name, '/')
	if at < 0 || len(name)-at-1 != digits {
		return "", 0, false
	}
	n, err := strconv.ParseUint(name[at+1:], 10, 64)
	return name[:at], n, err == nil && strings.Count(name[:at], "/") == 1
}

// A version is an object of a key.
type version struct {
	n uint64
	Object
}

// versions are the objects of keys, those of each in ascending order.
func (s *numbered) versions(ctx context.Context, prefix string) (map[string][]version, error) {
	objects, err := s.objects.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	all := map[string][]version{}
	for _, o := range objects {
		key, n, ok := parseObject(o.Name)
		if !ok {
			continue
		}
		versions := append(all[key], version{n, o})
		for i := len(versions) - 1; i > 0 && versions[i].n < versions[i-1].n; i-- {
			versions[i], versions[i-1] = versions[i-1], versions[i]
		}
		all[key] = versions
	}
	return all, nil
}

// current is the highest version of a key; the zero one where there is none.
func (s *numbered) current(ctx context.Context, key string) (version, error) {
	all, err := s.versions(ctx, key+"/")
	if n := len(all[key]); n > 0 {
		return all[key][n-1], err
	}
	return version{}, err
}

// gone says that there is no blob: never was, or no longer.
func (v version) gone() bool { return v.Size == 0 }

// String is the version as callers have it. The time tells it from that of a blob that began again with number 1.
func (v version) String() string {
	if v.gone() {
		return ""
	}
	return strconv.FormatUint(v.n, 10) + "@" + strconv.FormatInt(v.Written.UnixNano(), 10)
}

// Put implements Store.
func (s *numbered) Put(ctx context.Context, key string, blob []byte, was string) error {
	top, err := s.current(ctx, key)
	if err != nil {
		return err
	}
	if top.String() != was {
		return ErrChanged
	}
	if err := s.create(ctx, objectName(key, top.n+1), blob); err != nil {
		return err
	}
	if !top.gone() {
		s.objects.Clear(ctx, top.Name) // if it fails, Sweep removes it
	}
	return nil
}

// create makes the object of a version. One that is there already may be ours, of a try whose answer was lost.
func (s *numbered) create(ctx context.Context, name string, blob []byte) error {
	data := make([]byte, nonceBytes, nonceBytes+len(blob))
	rand.Read(data)
	err := s.objects.Create(ctx, name, append(data, blob...))
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	nonce := make([]byte, nonceBytes)
	r, err := s.objects.Open(ctx, name)
	if err == nil {
		_, err = io.ReadFull(r, nonce)
		r.Close()
	}
	if err == nil && bytes.Equal(nonce, data[:nonceBytes]) {
		return nil
	}
	return ErrChanged
}

// Open implements Store.
func (s *numbered) Open(ctx context.Context, key string) (io.ReadCloser, string, error) {
	for range 8 { // another server may replace it between the list and the reading
		top, err := s.current(ctx, key)
		if err != nil {
			return nil, "", err
		}
		if top.gone() {
			return nil, "", fs.ErrNotExist
		}
		r, err := s.objects.Open(ctx, top.Name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		_, err = io.CopyN(io.Discard, r, nonceBytes)
		if err == nil {
			return r, top.String(), nil
		}
		if r.Close(); !errors.Is(err, io.EOF) {
			return nil, "", err
		}
	}
	return nil, "", ErrChanged
}

// Delete implements Store.
func (s *numbered) Delete(ctx context.Context, key string) error {
	for range 8 {
		top, err := s.current(ctx, key)
		if err != nil {
			return err
		}
		if top.gone() {
			return fs.ErrNotExist
		}
		err = s.objects.Create(ctx, objectName(key, top.n+1), nil)
		if errors.Is(err, fs.ErrExist) {
			continue // somebody goes on with it: then that is deleted
		}
		if err != nil {
			return err
		}
		s.objects.Clear(ctx, top.Name)
		return nil
	}
	return ErrChanged
}

// List implements Store.
func (s *numbered) List(ctx context.Context, part string) ([]string, error) {
	all, err := s.versions(ctx, part+"/")
	keys := make([]string, 0, len(all))
	for key, versions := range all {
		if !versions[len(versions)-1].gone() {
			keys = append(keys, key)
		}
	}
	return keys, err
}

// Sweep implements Store.
func (s *numbered) Sweep(ctx context.Context) error {
	all, err := s.versions(ctx, "")
	if err != nil {
		return err
	}
	now := time.Now()
	for key, versions := range all {
		top := versions[len(versions)-1]
		for _, v := range versions[:len(versions)-1] {
			if now.Sub(top.Written) > graveTime {
				err = errors.Join(err, s.objects.Remove(ctx, v.Name))
			}
		}
		switch age := now.Sub(top.Written); {
		case top.gone() && age > graveTime:
			err = errors.Join(err, s.objects.Remove(ctx, top.Name))
		case !top.gone() && s.keep > 0 && age > s.keep:
			if gone := s.Delete(ctx, key); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
				err = errors.Join(err, gone)
			}
		}
	}
	return err
}

// Check implements Store.
func (s *numbered) Check(ctx context.Context) error { return s.objects.Check(ctx) }

// Close implements Store.
func (s *numbered) Close() error { return s.objects.Close() }
