package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVisible: names from files reach no terminal with what a terminal obeys.
func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"plain ünï 日本": "plain ünï 日本", "\x1b[31mred\x07": `\x1b[31mred\a`, "a\u202eb": `a\u202eb`, "two\rone": `two\rone`, "\x9b1m": "\ufffd1m",
	} {
		if got := visible(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	var out strings.Builder
	printError(&out, errors.New("tensor \x1b]0;title\x07: missing\nhere"))
	if want := "mmrun: tensor \\x1b]0;title\\a: missing here\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	table := newTable("tensor")
	table.add("\x1b[2J")
	if strings.Contains(table.String(), "\x1b") {
		t.Errorf("%q clears the screen", table.String())
	}
	dir := filepath.Join(t.TempDir(), "odd\x1b[31m")
	wantError(t, execute(t, "", "inspect", "--model", dir), exitFailure, `odd\x1b[31m: no such file`)
}

// noRoom is a disk without room.
type noRoom struct{}

func (noRoom) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestUnwrittenHelp: help and the version that could not be written are errors.
func TestUnwrittenHelp(t *testing.T) {
	for _, args := range []string{"--help", "--version", "generate --help", "help bench", ""} {
		var errs strings.Builder
		status := run(append([]string{"mmrun"}, strings.Fields(args)...), strings.NewReader(""), noRoom{}, &errs)
		if status != exitFailure || errs.String() != "mmrun: standard output: no space left on device\n" {
			t.Errorf("%s: status %d, %q", args, status, errs.String())
		}
	}
}

// TestUnwritable: a place where nothing can be written is refused before a text is made, and nothing is left of trying.
func TestUnwritable(t *testing.T) {
	o := execute(t, "", "generate", "x", "-q", "-n", "2", "--state-save", "/proc/mmrun.state")
	wantError(t, o, exitFailure, "/proc/mmrun.state: ")
	dir := t.TempDir()
	if err := checkOutput(filepath.Join(dir, "fine")); err != nil {
		t.Error(err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("%v %v is left", files, err)
	}
}
