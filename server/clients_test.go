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

// TestOpenAINode: OpenAI's own client for JavaScript, where there is Node.
func TestOpenAINode(t *testing.T) {
	node, err := exec.LookPath("node")
	npm, err2 := exec.LookPath("npm")
	if err != nil || err2 != nil {
		t.Log("there is no Node here")
		return
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "openai-js"))); err != nil {
		t.Fatal(err)
	}
	command(t, dir, npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--prefer-offline", "--loglevel=error")
	if out := command(t, dir, node, "client.js", usual(t).url, bundledName); out != "ok\n" {
		t.Errorf("it says %q", out)
	}
}
