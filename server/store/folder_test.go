package store

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestSweep: what interrupted writes left goes after a while, and the mark of a deleted blob; nothing else does.
func TestSweep(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	s, err := NewFolder(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"m/kept", "m/gone"} {
		if err := s.Put(ctx, key, []byte("x"), ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Delete(ctx, "m/gone"); err != nil {
		t.Fatal(err)
	}
	older := filepath.Join(dir, "m", "kept", "00000000000000000000")
	for _, name := range []string{older, filepath.Join(dir, newPrefix+"1"), filepath.Join(dir, "m", "kept", "note"), filepath.Join(dir, "other")} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := func() (names []string) {
		filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			name, err := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(name))
			return err
		})
		return names
	}
	first, second := "/00000000000000000001", "/00000000000000000002"
	all := []string{".new-1", "m/gone" + first, "m/gone" + second, "m/kept/00000000000000000000", "m/kept" + first, "m/kept/note", "other"}
	if err := s.Sweep(ctx); err != nil || !slices.Equal(files(), all) {
		t.Errorf("%v: %v, want all of %v", err, files(), all)
	}
	for _, name := range all {
		then := time.Now().Add(-2 * graveTime)
		if err := os.Chtimes(filepath.Join(dir, filepath.FromSlash(name)), then, then); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Sweep(ctx); err != nil || !slices.Equal(files(), []string{"m/kept" + first, "m/kept/note", "other"}) {
		t.Errorf("%v: %v", err, files())
	}
	if keys, err := s.List(ctx, "m"); err != nil || !slices.Equal(keys, []string{"m/kept"}) {
		t.Errorf("%v %v", keys, err)
	}
}

// TestLostAnswer: a writer whose object was made and who was not told so knows its own, and no other's.
func TestLostAnswer(t *testing.T) {
	f, err := NewFolder(t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	lost := &forgetful{Objects: f.(*numbered).objects}
	s := OverObjects(lost, 0)
	if err := s.Put(t.Context(), "m/a", []byte("x"), ""); err != nil {
		t.Errorf("its own object: %v", err)
	}
	lost.instead = []byte("0123456789abcdef another's")
	if err := s.Put(t.Context(), "m/b", []byte("x"), ""); !errors.Is(err, ErrChanged) {
		t.Errorf("another's object: %v", err)
	}
}

// A forgetful one makes every object twice, or another first, as a client does that tries again.
type forgetful struct {
	Objects
	instead []byte
}

// Create implements Objects.
func (f *forgetful) Create(ctx context.Context, name string, data []byte) error {
	first := data
	if f.instead != nil {
		first = f.instead
	}
	if err := f.Objects.Create(ctx, name, first); err != nil {
		return err
	}
	return f.Objects.Create(ctx, name, data)
}

// TestLate: a writer who looked before two others wrote one after the other does not take the first one's number.
func TestLate(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	others, err := NewFolder(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		_, version, err := others.Open(ctx, "m/a")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if err := others.Put(ctx, "m/a", []byte(text), version); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	_, version, err := others.Open(ctx, "m/a")
	if err != nil {
		t.Fatal(err)
	}
	slow := OverObjects(&slowly{others.(*numbered).objects, func() { write("two"); write("three") }}, 0)
	if err := slow.Put(ctx, "m/a", []byte("late"), version); !errors.Is(err, ErrChanged) {
		t.Errorf("it says %v", err)
	}
	r, _, err := others.Open(ctx, "m/a")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if data, err := io.ReadAll(r); err != nil || string(data) != "three" {
		t.Errorf("%q, %v", data, err)
	}
}

// A slowly lists objects and then takes its time.
type slowly struct {
	Objects
	meanwhile func()
}

// List implements Objects.
func (s *slowly) List(ctx context.Context, prefix string) ([]Object, error) {
	all, err := s.Objects.List(ctx, prefix)
	s.meanwhile()
	return all, err
}
