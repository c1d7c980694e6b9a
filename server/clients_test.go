package server_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// command runs a program in a folder, which has to succeed.
func command(t *testing.T, dir string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestOpenAIGo: OpenAI's own client for Go, in a program and a module of its own.
func TestOpenAIGo(t *testing.T) {
	client := filepath.Join(t.TempDir(), "client")
	command(t, filepath.Join("testdata", "openai-go"), "go", "build", "-buildvcs=false", "-o", client, ".")
	if out := command(t, ".", client, usual(t).url, bundledName); out != "ok\n" {
		t.Errorf("it says %q", out)
	}
}
