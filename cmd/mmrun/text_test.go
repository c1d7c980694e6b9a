package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseIDs(t *testing.T) {
	for _, test := range []struct {
		text string
		want []int32
		says string
	}{
		{"", nil, ""},
		{" \n", nil, ""},
		{"1,2,3", []int32{1, 2, 3}, ""},
		{"1 2\n3,\t4\n", []int32{1, 2, 3, 4}, ""},
		{"[0, 9]\n", []int32{0, 9}, ""},
		{"[]", nil, ""},
		{"10", nil, "--tokens: token 0 is 10, outside the vocabulary of 10"},
		{"1,-1", nil, "--tokens: token 1 is -1, outside the vocabulary of 10"},
		{"99999999999999999999", nil, "outside the vocabulary of 10"},
		{"1 two", nil, `--tokens: token 1 is "two", not a whole number`},
		{"1.5", nil, `token 0 is "1.5", not a whole number`},
		{"[1, 2", nil, "not a JSON array of token ids"},
		{`["a"]`, nil, "not a JSON array of token ids"},
	} {
		got, err := input{"--tokens", test.text}.parseIDs(10)
		if !slices.Equal(got, test.want) {
			t.Errorf("%q: got %v, want %v", test.text, got, test.want)
		}
		if said := errorText(err); (said == "") != (test.says == "") || !strings.Contains(said, test.says) {
			t.Errorf("%q: error %q, want %q", test.text, said, test.says)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	broken := errors.New("broken")
	err := writeFile(path, func(w io.Writer) error {
		io.WriteString(w, "half")
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("got error %v, want %v", err, broken)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("a failed write left %v", entries)
	}
	for _, want := range []string{"first", "second"} {
		if err := writeFile(path, func(w io.Writer) error { _, err := io.WriteString(w, want); return err }); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("temporary files remain: %v", entries)
	}
	if err := writeFile(dir, nil); errorText(err) != dir+": not a regular file" {
		t.Errorf("writing to a directory: %v", err)
	}
	if err := writeFile(filepath.Join(path, "below"), nil); err == nil {
		t.Error("writing below a file succeeded")
	}
}

func TestFormat(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{formatBytes(0), "0 B"},
		{formatBytes(999), "999 B"},
		{formatBytes(1000), "0.98 KiB"},
		{formatBytes(1 << 20), "1.00 MiB"},
		{formatBytes(128 << 20), "128 MiB"},
		{formatBytes(5 << 40), "5.00 TiB"},
		{formatCount(123), "123"},
		{formatCount(129_135_360), "129.1 M"},
		{barLine("loading", "1 of 4", 1, 4, 40), "loading ████░░░░░░░░░░░░░░  25%  1 of 4"},
		{barLine("loading", "1 of 4", 1, 4, 20), "loading 25%  1 of 4"},
		{tokenWords(50, 100, 2*time.Second), "50 of 100 tokens, 25 tok/s"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

func TestTable(t *testing.T) {
	table := newTable("name", ">n")
	table.add("é", "10")
	table.add("long name", "7")
	want := "name        n\né          10\nlong name   7\n"
	if got := table.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
