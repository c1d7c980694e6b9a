package mmrun_test

import (
	"bytes"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/sample"
)

// external is a program in a module of its own.
var external = filepath.Join("testdata", "external")

// TestExternalProgram: a program of another module, which has public packages alone, writes what the library does.
func TestExternalProgram(t *testing.T) {
	wantPublic(t, filepath.Join(external, "main.go"))
	hello := buildExternal(t)
	text := "“It was a dark night,” she said, and"
	cmd := exec.Command(hello, bundledDir, text)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	if want := helloHere(t, text); string(out) != want {
		t.Errorf("the program writes\n%s\nthe library\n%s", out, want)
	}
	nothing := filepath.Join(t.TempDir(), "nothing")
	out, err = exec.Command(hello, nothing, text).CombinedOutput()
	if err == nil || !strings.HasPrefix(string(out), "hello: ") || !strings.Contains(string(out), nothing) {
		t.Errorf("without a model: %v, %s", err, out)
	}
}

// wantPublic checks that a file imports nothing of this module but what is meant for programs.
func wantPublic(t *testing.T, file string) {
	t.Helper()
	const module = "github.com/mmrun/mmrun"
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	public := []string{module, module + "/sample", module + "/tokenizer"}
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(path, ".") && !slices.Contains(public, path) {
			t.Errorf("%s imports %s", file, path)
		}
	}
}

// buildExternal builds the program as it is: nothing may be missing from its go.mod and go.sum.
func buildExternal(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(external, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	hello := filepath.Join(dir, "hello")
	cmd := exec.Command("go", "build", "-modfile="+filepath.Join(dir, "go.mod"), "-o", hello, ".")
	cmd.Dir, cmd.Env = external, append(os.Environ(), "GOFLAGS=-mod=mod -buildvcs=false", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		was, err := os.ReadFile(filepath.Join(external, name))
		if err != nil {
			t.Fatal(err)
		}
		if is, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(is, was) {
			t.Errorf("%s is not as go writes it (%v):\n%s", filepath.Join(external, name), err, is)
		}
	}
	return hello
}

// helloHere is what the program prints.
func helloHere(t *testing.T, text string) string {
	t.Helper()
	m := bundled(t)
	var out strings.Builder
	generate := func(what string, s *mmrun.Session, prompt string) {
		wrote := write(t, s, prompt, mmrun.GenerateOptions{MaxTokens: 40, Sample: sample.Options{Temperature: 0.8, TopK: 40, Seed: 7}})
		fmt.Fprintf(&out, "%s: %q, %s after %d tokens\n", what, wrote, s.Finish(), s.Position())
	}
	fmt.Fprintf(&out, "%s has %d tokens\n", bundledDir, len(text))
	s := session(t, m)
	generate("text", s, text)
	saved := save(t, s)
	branch, again := session(t, m), session(t, m)
	for _, one := range []*mmrun.Session{branch, again} {
		if err := one.UnmarshalBinary(saved); err != nil {
			t.Fatal(err)
		}
	}
	generate("goes on", s, "")
	generate("branch", branch, " But")
	generate("again", again, "")
	return out.String()
}
