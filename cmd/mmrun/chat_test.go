package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// person is one at a terminal that mmrun runs in.
type person struct {
	t    *testing.T
	cmd  *exec.Cmd
	keys *os.File

	mu   sync.Mutex
	seen strings.Builder
	from int // what was looked at
}

// atTerminal starts mmrun in a pseudo-terminal.
func atTerminal(t *testing.T, args ...string) *person {
	t.Helper()
	keys, tty := terminal(t)
	defer tty.Close()
	if err := unix.IoctlSetWinsize(int(keys.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100}); err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, cmd: command(args...), keys: keys}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = tty, tty, tty
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := keys.Read(buf)
			p.mu.Lock()
			p.seen.Write(buf[:n])
			p.mu.Unlock()
			if err != nil {
				return // the program has ended
			}
		}
	}()
	return p
}

func (p *person) types(keys string) {
	p.t.Helper()
	if _, err := p.keys.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

// sees waits until a pattern appears in what was not looked at yet, and returns its groups.
func (p *person) sees(pattern string) []string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		p.mu.Lock()
		text := p.seen.String()[p.from:]
		at := re.FindStringSubmatchIndex(text)
		if at != nil {
			p.from += at[1]
		}
		p.mu.Unlock()
		if at != nil {
			return re.FindStringSubmatch(text)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.t.Fatalf("%s does not appear in %q", pattern, p.seen.String()[p.from:])
	return nil
}

// TestChatAtATerminal: what a person types is answered, Ctrl-C stops answers and lines and not the program, and of
// each turn only what is new is read.
func TestChatAtATerminal(t *testing.T) {
	p := atTerminal(t, "chat", "-n", "1000000", "--temp", "0", "--chat-template", "plain")
	stopped := func(says string) {
		t.Helper()
		p.sees(`\n[^\n]*[a-z]{2}`) // the answer has begun
		p.types("\x03")
		read := p.sees(`interrupted · (\d+) tokens read`)[1]
		if want := fmt.Sprint(len(says)); read != want {
			t.Errorf("after %q %s tokens were read, want %s", says, read, want)
		}
	}
	p.sees("> ")
	p.types("Helo\x1b[Dl\r") // put right with the arrow key
	stopped("user: Hello\nassistant: ")
	p.sees("> ")
	p.types("nonsense\x03")
	p.sees("> ")
	p.types("\"\"\"\r")
	p.sees(`\. `)
	p.types("One\r")
	p.sees(`\. `)
	p.types("two\r")
	p.sees(`\. `)
	p.types("\"\"\"\r")
	stopped("\nuser: One\ntwo\nassistant: ")
	p.sees("> ")
	p.types("\x1b[200~a\rb\x1b[201~\r") // pasted
	stopped("\nuser: a\nb\nassistant: ")
	p.sees("> ")
	p.types("/retry\r")
	stopped("") // from the state before the answer
	p.sees("> ")
	p.types("/frok\x1b[A\x1b[B\x15/help\r")
	p.sees("/notes +what a MemMamba")
	p.sees("> ")
	p.types("\x04")
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestChatLines: without a terminal lines are messages, and a conversation that was saved goes on as if it had not
// been interrupted, in a copy as in the first.
func TestChatLines(t *testing.T) {
	saved := filepath.Join(t.TempDir(), "talk.json")
	run := func(lines string) []string {
		o := execute(t, lines, "chat", "-q", "-n", "12", "--seed", "3", "--system", "Be kind.")
		if o.status != 0 || o.stderr != "" {
			t.Fatalf("status %d: %s", o.status, o.stderr)
		}
		return strings.Split(strings.TrimSuffix(o.stdout, "\n"), "\n")
	}
	whole := run("Hello\nWho are \\\nyou?\n/fork\nGo on.\n/fork 1\nGo on.\n")
	if len(whole) < 4 || whole[len(whole)-1] != whole[len(whole)-2] {
		t.Errorf("a copy goes on otherwise: %q", whole)
	}
	first := run("Hello\nWho are \\\nyou?\n/save " + saved + "\n/new\nGo on.\n")
	second := run("Something else\n/load " + saved + "\nGo on.\n")
	if got, want := second[len(second)-1], whole[len(whole)-1]; got != want || first[len(first)-1] == want {
		t.Errorf("loaded it goes on with %q, want %q; anew with %q", got, want, first[len(first)-1])
	}
	if again := run("Hello\n/retry\n"); again[0] != whole[0] || again[1] == again[0] {
		t.Errorf("answered again: %q, before %q", again, whole[0])
	}
}

// TestChatMistakes: what goes wrong is one line, and the conversation goes on.
func TestChatMistakes(t *testing.T) {
	dir := t.TempDir()
	text := file(t, "text", "{}")
	var lines string
	mistakes := []struct{ line, says string }{
		{"/frobnicate", "there is no command /frobnicate"},
		{"/retry", "there is no message to answer"},
		{"/save", "a file is missing"},
		{"/save " + dir, dir + ": not a regular file"},
		{"/load " + text, text + ": not a conversation that /save wrote"},
		{"/load " + filepath.Join(dir, "nothing"), "no such file"},
		{"/fork 2", "there are conversations 1 to 1"},
		{"/notes", "nothing was read yet"},
	}
	for _, m := range mistakes {
		lines += m.line + "\n"
	}
	o := execute(t, lines+"Hello\n", "chat", "-q", "-n", "5")
	said := strings.Split(strings.TrimSuffix(o.stderr, "\n"), "\n")
	if o.status != 0 || len(said) != len(mistakes) || strings.TrimSpace(o.stdout) == "" {
		t.Fatalf("status %d, %q, %q", o.status, o.stdout, o.stderr)
	}
	for i, m := range mistakes {
		if !strings.HasPrefix(said[i], "mmrun: ") || !strings.Contains(said[i], m.says) {
			t.Errorf("%s: %q does not say %q", m.line, said[i], m.says)
		}
	}
}
