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
	names := regexp.MustCompile(`(Shader: +|\.(?:kernel|tiles|lanes)\()"` + regexp.QuoteMeta(stem) + `["._]`)
	for file, text := range files {
		if path.Dir(file) == "ops" && !strings.HasSuffix(file, "_test.go") && names.MatchString(text) {
			return strings.TrimSuffix(path.Base(file), ".go")
		}
	}
	return ""
}

// TestNoModelOutsideItsFiles: what a model is, its own files say. The packages that run any model, and those of
// files and formats, name none: no model_type, no tensor and no part of a configuration.
func TestNoModelOutsideItsFiles(t *testing.T) {
	name := regexp.MustCompile(`(?i)"[^"\n]*(mamba|falcon|neox|transformer|backbone\.|in_proj|x_proj|dt_proj|A_log|note_proj|token_attn|mixer)[^"\n]*"`)
	check := regexp.MustCompile(`\.(Memory|Transformer|Mixer|ModelType)\s*(==|!=)|case "(mamba|mamba2|falcon_mamba|memmamba|gpt_neox)"`)
	for file, text := range texts(t) {
		dir := path.Dir(file)
		if path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		general := slices.ContainsFunc([]string{"engine", "quant", "checkpoint", "graph", "vk"}, func(d string) bool { return dir == d || strings.HasPrefix(dir, d+"/") })
		for i, line := range strings.Split(text, "\n") {
			code, _, _ := strings.Cut(line, "//")
			switch {
			case general && !strings.Contains(code, "github.com/mmrun") && name.MatchString(code):
				t.Errorf("%s:%d names a model: %s", file, i+1, strings.TrimSpace(line))
			case (general || dir == "cmd/mmrun" && !slices.Contains(byName, path.Base(file))) && check.MatchString(code):
				t.Errorf("%s:%d asks what a model is: %s", file, i+1, strings.TrimSpace(line))
			}
		}
	}
}

// byName are the files of commands that users ask for by the name of what they work on.
var byName = []string{"notes.go", "convert.go", "convert_weights.go"}
