package server_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/server"
)

// TestDocs runs the examples of docs/serve.md as they are written, except for the port, one after the other.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "serve.md"))
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, server.Options{Models: []server.Model{bundled(bundledName)}})
	lines := regexp.MustCompile(`(?m)^curl .*$`).FindAllString(string(text), -1)
	if len(lines) < 15 {
		t.Fatalf("only %d examples", len(lines))
	}
	dir := t.TempDir()
	for _, line := range lines {
		cmd := exec.Command("bash", "-c", strings.Replace(strings.ReplaceAll(line, "http://127.0.0.1:8080", r.url), "curl ", "curl --silent --show-error --fail-with-body --max-time 60 ", 1))
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), `"error"`) {
			t.Errorf("%s: %v: %s", line, err, out)
		}
	}
}
