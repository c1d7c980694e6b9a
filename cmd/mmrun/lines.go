package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// errAbandoned is the error of a line that was given up with Ctrl-C.
var errAbandoned = errors.New("given up")

// lineReader reads lines from a person, or from a file.
type lineReader interface {
	// line reads a line without its end. It is io.EOF after the last, and errAbandoned.
	line(prompt string) (string, error)
	// restore gives the terminal back as it was, if it is one.
	restore()
}

// fileLines reads lines that are there.
type fileLines struct{ r *bufio.Reader }

func (f fileLines) line(string) (string, error) {
	line, err := f.r.ReadString('\n')
	if line == "" && err != nil {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func (f fileLines) restore() {}

// terminalLines reads lines with an editor: history by the arrows, pasted lines as they are.
type terminalLines struct {
	in   *os.File
	keys *keys
	edit *term.Terminal

	mu  sync.Mutex
	was *term.State // nil while the terminal is as it was
}

// keys are what comes from a terminal. Ctrl-C becomes what empties a line and ends it.
type keys struct {
	io.Reader
	io.Writer
	given bool // up
}

func (k *keys) Read(p []byte) (int, error) {
	var raw [64]byte
	n, err := k.Reader.Read(raw[:max(1, min(len(raw), len(p)/3))])
	out := p[:0]
	for _, b := range raw[:n] {
		if b == 3 {
			k.given = true
			out = append(out, 'E'-'@', 'U'-'@', '\r')
			continue
		}
		out = append(out, b)
	}
	return len(out), err
}

func newTerminalLines(in, out *os.File) *terminalLines {
	k := &keys{Reader: in, Writer: out}
	return &terminalLines{in: in, keys: k, edit: term.NewTerminal(k, "")}
}

func (t *terminalLines) line(prompt string) (string, error) {
	fd := int(t.in.Fd())
	t.mu.Lock()
	was, err := term.MakeRaw(fd)
	t.was = was
	t.mu.Unlock()
	if err != nil {
		return "", err
	}
	defer t.restore()
	if columns, rows, err := term.GetSize(fd); err == nil && columns > 0 { // one that does not say has 0
		_ = t.edit.SetSize(columns, rows) // it cannot fail but by writing
	}
	t.edit.SetBracketedPasteMode(true)
	defer t.edit.SetBracketedPasteMode(false)
	t.edit.SetPrompt(prompt)
	t.keys.given = false
	var pasted strings.Builder
	for {
		line, err := t.edit.ReadLine()
		switch {
		case t.keys.given:
			return "", errAbandoned
		case errors.Is(err, term.ErrPasteIndicator):
			pasted.WriteString(line + "\n")
			t.edit.SetPrompt("")
			continue
		}
		return pasted.String() + line, err
	}
}

func (t *terminalLines) restore() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.was != nil {
		_ = term.Restore(int(t.in.Fd()), t.was) // there is nothing left to do about it
		t.was = nil
	}
}

// linesOf reads from what the program reads from: with an editor where it is a terminal.
func linesOf(in io.Reader, out io.Writer) lineReader {
	f, ok := in.(*os.File)
	o, isFile := out.(*os.File)
	if ok && isFile && isTerminal(f) && isTerminal(o) {
		return newTerminalLines(f, o)
	}
	return fileLines{bufio.NewReader(in)}
}

// readMessage reads a message: a line; lines of which each but the last ends with a backslash; or lines between two that
// are three quotation marks.
func readMessage(r lineReader, prompt, more string) (string, error) {
	line, err := r.line(prompt)
	if err != nil {
		return "", err
	}
	if strings.TrimSpace(line) == `"""` {
		return readBlock(r, more)
	}
	for strings.HasSuffix(line, `\`) {
		next, err := r.line(more)
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		line = strings.TrimSuffix(line, `\`) + "\n" + next
		if err != nil {
			break
		}
	}
	return line, nil
}

func readBlock(r lineReader, more string) (string, error) {
	var lines []string
	for {
		line, err := r.line(more)
		if errors.Is(err, io.EOF) || err == nil && strings.TrimSpace(line) == `"""` {
			return strings.Join(lines, "\n"), nil
		}
		if err != nil {
			return "", err
		}
		lines = append(lines, line)
	}
}
