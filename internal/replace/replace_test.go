package replace

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func put(text string) func(w io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

// holds checks what a folder has, name by name.
func holds(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got, want := strings.Join(names, " "), strings.Join(want, " "); got != want {
		t.Errorf("the folder has %q, want %q", got, want)
	}
}

func wantText(t *testing.T, path, want string) {
	t.Helper()
	if data, err := os.ReadFile(path); err != nil || string(data) != want {
		t.Errorf("%s: %q, %v, want %q", path, data, err, want)
	}
}

// TestFileKeeps: permissions of a file that is replaced, and the link that led to it.
func TestFileKeeps(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "secret"), filepath.Join(dir, "link")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("secret", link); err != nil {
		t.Fatal(err)
	}
	if err := File(link, put("new")); err != nil {
		t.Fatal(err)
	}
	wantText(t, path, "new")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
	holds(t, dir, "link", "secret")
}

// TestFailureChangesNothing: what was there stays, nothing is left over, and the error names what the caller named.
func TestFailureChangesNothing(t *testing.T) {
	dir, bad := t.TempDir(), errors.New("bad")
	path := filepath.Join(dir, "x")
	if err := File(path, put("old")); err != nil {
		t.Fatal(err)
	}
	if err := File(path, func(w io.Writer) error { return errors.Join(put("half")(w), bad) }); !errors.Is(err, bad) {
		t.Error(err)
	}
	if err := Folder(filepath.Join(dir, "model"), func(in string) error {
		return errors.Join(os.WriteFile(filepath.Join(in, "a"), nil, 0o666), bad)
	}); !errors.Is(err, bad) {
		t.Error(err)
	}
	err := Folder(filepath.Join(dir, "model"), func(in string) error { return os.Mkdir(filepath.Join(in, "no", "such"), 0o777) })
	if want := filepath.Join(dir, "model", "no", "such") + ": "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	wantText(t, path, "old")
	if err := File(filepath.Join(dir, "none", "x"), put("")); err == nil || !strings.HasPrefix(err.Error(), filepath.Join(dir, "none", "x")+": ") {
		t.Error(err)
	}
	holds(t, dir, "x")
}

// TestDeadRuns: what a killed run has left does not block the next, which removes it, and what a living one is
// writing stays.
func TestDeadRuns(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	for _, name := range []string{".x.123.tmp", ".x.mine.tmp", ".y.123.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, ".x.77.tmp"), 0o777); err != nil {
		t.Fatal(err)
	}
	err := File(path, func(w io.Writer) error {
		if err := File(path, put("other")); err != nil { // meanwhile
			return err
		}
		return put("mine")(w)
	})
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, path, "mine")
	holds(t, dir, ".x.mine.tmp", ".y.123.tmp", "x")
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model")
	if err := os.Mkdir(filepath.Join(dir, ".model.5.tmp"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := Folder(path, func(in string) error { return os.WriteFile(filepath.Join(in, "config.json"), []byte("{}"), 0o666) }); err != nil {
		t.Fatal(err)
	}
	wantText(t, filepath.Join(path, "config.json"), "{}")
	holds(t, dir, "model")
}
