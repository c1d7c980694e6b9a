//go:build node

package server_test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestOpenAINode: OpenAI's own client for JavaScript. It needs Node and fetches the client.
func TestOpenAINode(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "openai-js"))); err != nil {
		t.Fatal(err)
	}
	command(t, dir, "npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--prefer-offline", "--loglevel=error")
	if out := command(t, dir, "node", "client.js", usual(t).url, bundledName); out != "ok\n" {
		t.Errorf("it says %q", out)
	}
}
