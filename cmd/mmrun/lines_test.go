package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is both ends of a terminal: what a person has, and what a program has.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if program, err = os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// TestTerminalLines: at a terminal that does not say how wide it is, a line is read and shown as one, comes again by the
// arrow key, and Ctrl-C gives up the line alone.
func TestTerminalLines(t *testing.T) {
	person, program := terminal(t)
	lines := linesOf(program, program)
	types := func(keys string) (line string, err error) {
		if _, err := person.WriteString(keys); err != nil {
			t.Fatal(err)
		}
		return lines.line("> ")
	}
	for _, test := range []struct{ keys, want string }{{"Who goes\r", "Who goes"}, {"\x1b[A there?\r", "Who goes there?"}} {
		if line, err := types(test.keys); line != test.want || err != nil {
			t.Errorf("%q is read as %q, %v", test.keys, line, err)
		}
	}
	if line, err := types("something\x03"); err != errAbandoned {
		t.Errorf("Ctrl-C: %q, %v", line, err)
	}
	if line, err := types("Go on.\r"); line != "Go on." || err != nil {
		t.Errorf("after it: %q, %v", line, err)
	}
	time.Sleep(10 * time.Millisecond)
	seen := make([]byte, 1<<16)
	n, err := person.Read(seen)
	if err != nil || !strings.Contains(string(seen[:n]), "there?") {
		t.Errorf("seen is %q, %v", seen[:n], err)
	}
}
