package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"runtime/debug"
	"strings"
	"testing"
)

// TestBillOf lists modules with their versions, a replaced one by what replaced it.
func TestBillOf(t *testing.T) {
	info := &buildinfo.BuildInfo{GoVersion: "go1.26.0", Settings: []debug.BuildSetting{{Key: "GOARCH", Value: "arm64"}, {Key: "-tags", Value: "x"}}, Deps: []*debug.Module{
		{Path: "example.com/a", Version: "v1.2.3", Sum: "h1:a"},
		{Path: "example.com/b", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/c", Version: "v2.0.0"}},
	}}
	b := billOf(info, "prog", "1.0", 86400)
	if b.Metadata.Timestamp != "1970-01-02T00:00:00Z" || len(b.Metadata.Component.Properties) != 1 {
		t.Errorf("%+v", b.Metadata)
	}
	var purls []string
	for _, c := range b.Components {
		purls = append(purls, c.PURL)
	}
	if got, want := strings.Join(purls, " "), "pkg:golang/std@1.26.0 pkg:golang/example.com/a@v1.2.3 pkg:golang/example.com/c@v2.0.0"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestRun writes the bill of the program that the test itself is, twice the same.
func TestRun(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		if err := run([]string{"--name", "x", "--version", "1", "--time", "5", self}, out); err != nil {
			t.Fatal(err)
		}
	}
	var b bom
	if err := json.Unmarshal(first.Bytes(), &b); err != nil || b.Format != "CycloneDX" || len(b.Components) < 1 || !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("%v: %s", err, first.Bytes())
	}
	if err := run([]string{self}, &first); err == nil {
		t.Error("no name was asked for")
	}
	if err := run([]string{"--name", "x", "--version", "1", "main.go"}, &first); err == nil {
		t.Error("a file that is no program was read")
	}
}
