package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestPlot: a picture made from JSON is the one that the experiment draws, also when its models were measured one
// by one.
func TestPlot(t *testing.T) {
	dir, other, folder := modelDir(t, "memmamba-fifo"), modelDir(t, "mamba-tiny"), t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	args := []string{"passkey", "--lengths", "120,150", "--depths", "2", "--trials", "1", "--json", "--model"}
	both := succeed(t, append(args, dir, "--against", other, "--plot", at("both.png"))...)
	first, second := file(t, "first", succeed(t, append(args, dir)...)), file(t, "second", succeed(t, append(args, other)...))
	joined := succeed(t, "plot", first, second, "--out", at("joined.png"), "--json")
	times := regexp.MustCompile(`"seconds":[^,]*`)
	if got, want := times.ReplaceAllString(joined, ""), times.ReplaceAllString(both, ""); got != want {
		t.Errorf("joined\n%s, want\n%s", got, want)
	}
	succeed(t, "plot", file(t, "both", both), "--out", at("again.png"))
	want, err := os.ReadFile(at("both.png"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"joined.png", "again.png"} {
		if got, err := os.ReadFile(at(name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is another picture (%v)", name, err)
		}
	}
	third := file(t, "third", succeed(t, "passkey", "--lengths", "120", "--depths", "2", "--trials", "1", "--json", "--model", other))
	wantError(t, execute(t, "", "plot", first, third, "--out", at("x.png")), exitFailure, third+": was measured with")
	for _, bad := range []string{"{", "{}", `{"depths":[0.5],"models":[]}`, `{"depths":[0.5],"models":[],"more":1}`} {
		path := file(t, "bad", bad)
		wantError(t, execute(t, "", "plot", path, "--out", at("x.png")), exitFailure, path+": ")
	}
	wantError(t, execute(t, "", "plot", "--out", at("x.png")), exitUsage, "no file")
}

// TestPlotOfEveryKind draws the results that the documentation shows.
func TestPlotOfEveryKind(t *testing.T) {
	results := filepath.Join("..", "..", "docs", "results")
	for _, name := range []string{"docs", "fidelity", "latency", "passkey", "perplexity"} {
		path := filepath.Join(t.TempDir(), name+".png")
		succeed(t, "plot", filepath.Join(results, name+".json"), "--out", path)
		wantPicture(t, path)
	}
	wantError(t, execute(t, "", "plot", filepath.Join(results, "docs.json"), filepath.Join(results, "passkey.json"), "--out", filepath.Join(t.TempDir(), "x")),
		exitFailure, "is of another experiment")
}
