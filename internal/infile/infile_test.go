package infile

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestKinds reads every kind of file: what has no end or no text is an error at once, a pipe is read as it is.
func TestKinds(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	socket, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	err = errors.Join(os.WriteFile(at("text"), []byte("some text"), 0o666), os.Mkdir(at("dir"), 0o777), syscall.Mkfifo(at("pipe"), 0o666),
		os.WriteFile(at("sparse"), nil, 0o666), os.Truncate(at("sparse"), 1<<40), os.Symlink("/dev/zero", at("link")))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = os.WriteFile(at("pipe"), []byte("of a pipe"), 0o666) // what is read shows it
	}()
	for _, test := range []struct{ path, text, says string }{
		{at("text"), "some text", ""}, {at("pipe"), "of a pipe", ""}, {os.DevNull, "", ""},
		{at("dir"), "", ": is a directory"}, {at("socket"), "", ": is a socket"}, {"/dev/zero", "", ": is a device, not a file"},
		{at("link"), "", ": is a device, not a file"}, {at("sparse"), "", ": above the limit of 16 bytes"}, {at("none"), "", ": no such file or directory"},
	} {
		began := time.Now()
		data, err := Read(test.path, 16)
		switch {
		case test.says != "":
			if err == nil || err.Error() != test.path+test.says {
				t.Errorf("%s: %v, want %q", test.path, err, test.says)
			}
		case err != nil || string(data) != test.text:
			t.Errorf("%s: %q %v, want %q", test.path, data, err, test.text)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %v", test.path, took)
		}
	}
	if _, err := Read(at("none"), 16); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not ErrNotExist", err)
	}
	if _, err := ReadAll(strings.NewReader(strings.Repeat("x", 17)), "x", 16); err == nil {
		t.Error("17 bytes are within 16")
	}
}
