package house

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages are the documents, by path below the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for file, text := range texts(t) {
		if path.Ext(file) == ".md" {
			found[file] = text
		}
	}
	if found["README.md"] == "" || found["docs/using.md"] == "" {
		t.Fatalf("the documents were not found: %d files", len(found))
	}
	return found
}

// TestMakeTargets: the Makefile has every target that a document names, and CI calls make test.
func TestMakeTargets(t *testing.T) {
	files := texts(t)
	have := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z-]+):`).FindAllStringSubmatch(files["Makefile"], -1) {
		have[m[1]] = true
	}
	for file, text := range pages(t) {
		for _, m := range regexp.MustCompile("(?m)(?:^|`)make ([a-z-]+)").FindAllStringSubmatch(text, -1) {
			if !have[m[1]] {
				t.Errorf("%s names make %s, which the Makefile does not have", file, m[1])
			}
		}
	}
	if !strings.Contains(files[".ci/run"], "make test") {
		t.Error(".ci/run does not call make test")
	}
}

// TestLinks: what documents link to in the repository is there, headings too.
func TestLinks(t *testing.T) {
	documents := pages(t)
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for file, text := range documents {
		for _, m := range link.FindAllStringSubmatch(withoutCode(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target, heading, _ := strings.Cut(m[1], "#")
			to := file
			if target != "" {
				to = path.Join(path.Dir(file), target)
			}
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(to))); err != nil {
				t.Errorf("%s links to %s, which is not there", file, m[1])
				continue
			}
			if heading != "" && !anchors(documents[to])[heading] {
				t.Errorf("%s links to %s, and %s has no such heading", file, m[1], to)
			}
		}
	}
}

// withoutCode is a document without its blocks of code.
func withoutCode(text string) string {
	return regexp.MustCompile("(?ms)^```.*?^```").ReplaceAllString(text, "")
}

// anchors are what GitHub makes of a document's headings.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(withoutCode(text), -1) {
		name := regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		found[strings.ReplaceAll(name, " ", "-")] = true
	}
	return found
}
