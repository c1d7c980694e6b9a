package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/memblob"

	"github.com/mmrun/mmrun/server/store"
)

// kinds are the stores that the tests try: each opens another one of the same contents.
func kinds(t *testing.T) map[string]func(keep time.Duration) store.Store {
	t.Helper()
	socket, dir := redisServer(t), t.TempDir()
	memory, err := blob.OpenBucket(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	opened := func(address string) func(time.Duration) store.Store {
		return func(keep time.Duration) store.Store {
			s, err := Open(t.Context(), address, keep)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	}
	return map[string]func(time.Duration) store.Store{
		"redis": opened("unix://" + socket + "?db=2&prefix=tests"),
		"file":  opened("file://" + filepath.ToSlash(dir)),
		"bucket": func(keep time.Duration) store.Store {
			return store.OverObjects(&bucket{blob.PrefixedBucket(memory, bucketPrefix)}, keep)
		},
	}
}

// redisServer runs a Redis of its own until the test ends, and returns its socket.
func redisServer(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") // t.TempDir's names are too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	cmd := exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		os.RemoveAll(dir)
	})
	for range 500 {
		if c, err := net.Dial("unix", socket); err == nil {
			c.Close()
			return socket
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("redis-server does not listen")
	return ""
}

// get is a blob as text, and its version.
func get(t *testing.T, s store.Store, key string) (text, version string) {
	t.Helper()
	r, version, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data), version
}

// TestStores: every kind of store keeps blobs, and replaces one only where it is what the writer knows.
func TestStores(t *testing.T) {
	ctx := t.Context()
	for name, open := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			s, other := open(0), open(0)
			defer s.Close()
			put := func(key, text, was string, want error) {
				t.Helper()
				if err := s.Put(ctx, key, []byte(text), was); !errors.Is(err, want) || (err == nil) != (want == nil) {
					t.Errorf("put %s at %s after %q: %v, want %v", text, key, was, err, want)
				}
			}
			put("m/a", "one", "", nil)
			put("m/a", "two", "", store.ErrChanged)
			put("m/b.1", strings.Repeat("long ", 1<<18), "", nil)
			put("n/a", "", "", nil)
			text, first := get(t, other, "m/a")
			if text != "one" {
				t.Errorf("it is %q", text)
			}
			put("m/a", "two", first, nil)
			put("m/a", "three", first, store.ErrChanged)
			put("m/none", "x", first, store.ErrChanged)
			if text, _ := get(t, other, "m/a"); text != "two" {
				t.Errorf("it is %q", text)
			}
			if text, _ := get(t, other, "n/a"); text != "" {
				t.Errorf("an empty blob is %q", text)
			}
			keys, err := other.List(ctx, "m")
			if slices.Sort(keys); err != nil || !slices.Equal(keys, []string{"m/a", "m/b.1"}) {
				t.Errorf("%v %v", keys, err)
			}
			_, second := get(t, s, "m/a")
			if err := other.Delete(ctx, "m/a"); err != nil {
				t.Error(err)
			}
			put("m/a", "back", second, store.ErrChanged)
			if _, _, err := s.Open(ctx, "m/a"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a deleted blob: %v", err)
			}
			if err := s.Delete(ctx, "m/a"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a deleted blob again: %v", err)
			}
			if keys, err := s.List(ctx, "m"); err != nil || !slices.Equal(keys, []string{"m/b.1"}) {
				t.Errorf("%v %v", keys, err)
			}
			put("m/a", "anew", "", nil)
			if err := errors.Join(s.Check(ctx), s.Sweep(ctx)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRaces: of writers that know the same version one alone goes on from it, so that no addition is lost.
func TestRaces(t *testing.T) {
	const writers, each = 4, 10
	for name, open := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			var all sync.WaitGroup
			for range writers {
				s := open(0)
				all.Go(func() {
					for range each {
						for add(t, s) != nil {
						}
					}
				})
			}
			all.Wait()
			if text, _ := get(t, open(0), "m/sum"); text != strconv.Itoa(writers*each) {
				t.Errorf("the sum is %s, not %d", text, writers*each)
			}
		})
	}
}

// add adds one to a number, and fails where another was faster.
func add(t *testing.T, s store.Store) error {
	sum, version := 0, ""
	r, v, err := s.Open(context.Background(), "m/sum")
	if err == nil {
		version = v
		_, err = fmt.Fscan(r, &sum)
		r.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, store.ErrChanged) {
		t.Errorf("open: %v", err)
		return nil
	}
	err = s.Put(context.Background(), "m/sum", []byte(strconv.Itoa(sum+1)), version)
	if err != nil && !errors.Is(err, store.ErrChanged) {
		t.Errorf("put: %v", err)
		return nil
	}
	return err
}

// TestKeep: what nobody wrote for as long as it is kept goes, and what was written since stays.
func TestKeep(t *testing.T) {
	for name, open := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const keep = 2 * time.Second
			s := open(keep)
			if err := errors.Join(s.Put(t.Context(), "m/old", []byte("x"), ""), s.Put(t.Context(), "m/new", []byte("x"), "")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(keep * 3 / 4)
			_, version := get(t, s, "m/new")
			if err := s.Put(t.Context(), "m/new", []byte("y"), version); err != nil {
				t.Fatal(err)
			}
			time.Sleep(keep / 2)
			if err := s.Sweep(t.Context()); err != nil {
				t.Error(err)
			}
			if keys, err := s.List(t.Context(), "m"); err != nil || !slices.Equal(keys, []string{"m/new"}) {
				t.Errorf("%v %v", keys, err)
			}
		})
	}
}

// TestNoStore: what is no store is refused soon, in one line without the password.
func TestNoStore(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // nobody listens there
	for address, says := range map[string]string{
		"redis://user:secret@" + l.Addr().String() + "/0": "connection refused",
		"redis://:secret@%zz/":                            "invalid URL escape",
		"redis://:secret@localhost/x":                     "invalid database number",
		"redis://localhost/0?prefix={":                    "braces",
		"file://folder/x":                                 "three slashes",
		"ftp://x":                                         `"ftp" is none of redis, rediss, unix, file`,
		"":                                                `"" is none of redis`,
	} {
		begun := time.Now()
		s, err := Open(t.Context(), address, 0)
		if err == nil {
			s.Close()
			t.Errorf("%s is a store", address)
			continue
		}
		text := err.Error()
		if !strings.Contains(text, says) || strings.Contains(text, ":secret") || strings.Contains(text, "\n") || time.Since(begun) > 15*time.Second {
			t.Errorf("%s: %q after %v, want one line with %q", address, text, time.Since(begun), says)
		}
	}
}

// TestDown: a Redis that goes away is an error, and one that comes back goes on.
func TestDown(t *testing.T) {
	socket := redisServer(t)
	away := socket + ".away"
	s, err := Open(t.Context(), "unix://"+socket, 0)
	if err == nil {
		err = s.Put(t.Context(), "m/a", []byte("x"), "")
	}
	if err != nil {
		t.Fatal(err)
	}
	o := s.(*redisStore).client
	if err := errors.Join(os.Rename(socket, away), o.ClientKillByFilter(t.Context(), "TYPE", "normal", "SKIPME", "no").Err()); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err == nil {
		t.Error("a Redis that is away can be used")
	}
	if _, _, err := s.Open(t.Context(), "m/a"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a Redis that is away: %v", err)
	}
	if err := os.Rename(away, socket); err != nil {
		t.Fatal(err)
	}
	if text, _ := get(t, s, "m/a"); text != "x" {
		t.Errorf("after it came back: %q", text)
	}
}
