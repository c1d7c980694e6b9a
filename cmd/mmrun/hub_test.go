package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestHubCache: a cache that others made, without refs, is listed and used by name, without a network.
func TestHubCache(t *testing.T) {
	cache, model := t.TempDir(), modelDir(t, "mamba-tiny")
	const commit = "0123456789abcdef0123456789abcdef01234567"
	snapshot := filepath.Join(cache, "models--o--n", "snapshots", commit)
	if err := os.CopyFS(snapshot, os.DirFS(model)); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) outcome {
		cmd := command(args...)
		cmd.Env = append(cmd.Env, "HF_HUB_CACHE="+cache, "HF_HUB_OFFLINE=1", "HF_ENDPOINT=http://127.0.0.1:9")
		return finish(t, cmd, "")
	}
	if o := run("generate", "-q", "-m", "o/n", "-p", "a", "-n", "1"); o.status != 0 {
		t.Errorf("status %d: %s", o.status, o.stderr)
	}
	if o := run("pull", "o/n"); o.status != 0 || o.stdout != snapshot+"\n" {
		t.Errorf("pull: %+v", o)
	}
	var list []cachedReport
	if o := run("list", "--json"); json.Unmarshal([]byte(o.stdout), &list) != nil || len(list) != 1 || list[0].Name != "o/n" || list[0].ModelType != "mamba" || list[0].Commit != commit {
		t.Errorf("list: %+v", o)
	}
	wantError(t, run("generate", "-q", "-m", "o/other", "-p", "a"), exitFailure, "no such file or directory, and o/other is not in the Hub's cache "+cache+"; 'mmrun pull o/other' gets it")
	wantError(t, run("pull", "o/other"), exitFailure, "HF_HUB_OFFLINE is set, and o/other is not in the Hub's cache")
	wantError(t, run("pull", "../n"), exitUsage, `"../n" is no name of a model on the Hub, which is OWNER/NAME or OWNER/NAME:FILE`)
}
