package house

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the repository as seen from this package's folder.
const root = "../.."

// texts returns the repository's text files that people write, by path below the root.
func texts(t *testing.T) map[string]string {
	t.Helper()
	written := []string{".go", ".c", ".h", ".comp", ".glsl", ".sh", ".py", ".md", ".html", ".css", ".js", ".json"}
	found := map[string]string{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if slices.Contains([]string{".git", "bin", "testdata"}, name) {
				return filepath.SkipDir
			}
			return nil
		}
		if !slices.Contains(written, path.Ext(name)) && name != "Makefile" && !strings.HasSuffix(file, ".ci/run") {
			return nil
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		found[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if found["Makefile"] == "" || found["internal/house/files_test.go"] == "" {
		t.Fatalf("the root was not found: %d files", len(found))
	}
	return found
}

// TestFilesAreShort: a file that can be read in one sitting has one subject.
func TestFilesAreShort(t *testing.T) {
	most := map[string]int{".go": 400, ".c": 400, ".py": 400, ".sh": 150, ".comp": 150, ".glsl": 150}
	for file, text := range texts(t) {
		limit, ok := most[path.Ext(file)]
		if lines := strings.Count(text, "\n"); ok && lines > limit {
			t.Errorf("%s: %d lines, at most %d", file, lines, limit)
		}
	}
}

// TestNothingIsLeftOver finds what must not be committed: promises, skipped tests, and paths of the
// machine it was written on. The words are split so that this file does not hold them.
func TestNothingIsLeftOver(t *testing.T) {
	words := []*regexp.Regexp{
		regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|X` + `XX)\b`),
		regexp.MustCompile(`\b[tb]\.(Sk` + `ip|Skip` + `f|Skip` + `Now)\(`),
		regexp.MustCompile(`\.\./sha` + `red`),
		regexp.MustCompile(`(^|[\s"'` + "`" + `(=])/(wo` + `rk|ro` + `ot)/`),
		regexp.MustCompile(`<<<<<` + `<<|>>>>>` + `>>`),
	}
	for file, text := range texts(t) {
		for i, line := range strings.Split(text, "\n") {
			for _, word := range words {
				if m := word.FindString(line); m != "" {
					t.Errorf("%s:%d: %q", file, i+1, m)
				}
			}
		}
	}
}

// TestOneOpOneStem: every shader is used by an op, and an op in ops/gate.go has its plain reference
// in ops/ref/gate.go and its test in ops/gate_test.go. An op of several shaders names them all.
func TestOneOpOneStem(t *testing.T) {
	files := texts(t)
	for file := range files {
		stem, ok := strings.CutSuffix(strings.TrimPrefix(file, "shaders/"), ".comp")
		if !ok {
			continue
		}
		op := opOf(files, stem)
		if op == "" {
			t.Errorf("%s: no op uses it", file)
			continue
		}
		for _, want := range []string{"ops/ref/" + op + ".go", "ops/" + op + "_test.go"} {
			if files[want] == "" {
				t.Errorf("%s: %s is missing", file, want)
			}
		}
	}
}

// opOf finds the op that loads a shader, by its file's name without ".go".
func opOf(files map[string]string, stem string) string {
	names := regexp.MustCompile(`Shader: +"` + regexp.QuoteMeta(stem) + `["._]`)
	for file, text := range files {
		if path.Dir(file) == "ops" && !strings.HasSuffix(file, "_test.go") && names.MatchString(text) {
			return strings.TrimSuffix(path.Base(file), ".go")
		}
	}
	return ""
}

// TestReadmeStartsWithTheTwoCommands: the first commands a reader meets are the two that need
// nothing else, and the Makefile has them and every other target that the README names.
func TestReadmeStartsWithTheTwoCommands(t *testing.T) {
	files := texts(t)
	targets := regexp.MustCompile(`(?m)^([a-z-]+):`).FindAllStringSubmatch(files["Makefile"], -1)
	var have []string
	for _, m := range targets {
		have = append(have, m[1])
	}
	var named []string
	for _, m := range regexp.MustCompile("(?m)(?:^|`)make ([a-z-]+)").FindAllStringSubmatch(files["README.md"], -1) {
		named = append(named, m[1])
		if !slices.Contains(have, m[1]) {
			t.Errorf("README.md names make %s, which the Makefile does not have", m[1])
		}
	}
	if len(named) < 2 || named[0] != "demo" || named[1] != "test" {
		t.Errorf("README.md names make %v first, want demo and test", named[:min(2, len(named))])
	}
	if !strings.Contains(files[".ci/run"], "make test") {
		t.Error(".ci/run does not call make test")
	}
}
