package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestCompletionKnowsEverything: every shell's script has every command with all of its flags.
func TestCompletionKnowsEverything(t *testing.T) {
	for shell := range shells {
		script := succeed(t, "completion", shell)
		for _, cmd := range testApp(nil).Commands {
			if !regexp.MustCompile(`(?m)\b` + cmd.Name + `\b`).MatchString(script) {
				t.Errorf("%s: %s is missing", shell, cmd.Name)
			}
			for _, flag := range cmd.Flags {
				for _, name := range flag.Names() {
					want := dashed(name)
					if shell == "fish" {
						want = strings.NewReplacer("--", "-l ", "-", "-s ").Replace(want[:len(want)-len(name)]) + name
					}
					if !strings.Contains(script, want) {
						t.Errorf("%s: %s of %s is missing", shell, want, cmd.Name)
					}
				}
			}
		}
		if strings.Contains(script, "`") {
			t.Errorf("%s: a placeholder in backquotes is left", shell)
		}
	}
	for _, args := range [][]string{{"completion"}, {"completion", "csh"}, {"completion", "bash", "zsh"}} {
		wantError(t, execute(t, "", args...), exitUsage, "bash, zsh or fish")
	}
}

// TestBashCompletion asks bash what it offers.
func TestBashCompletion(t *testing.T) {
	script := succeed(t, "completion", "bash")
	for _, test := range []struct {
		words string // the last is being typed; "_" for nothing typed yet
		want  string
	}{
		{"mmrun gen", "generate"},
		{"mmrun --v", "--version"},
		{"mmrun generate --state", "--state-load --state-save"},
		{"mmrun generate --quantize _", "q4_k q6_k q8_0"},
		{"mmrun generate --quantize = q8", "q8_0"},
		{"mmrun generate --temp _", ""},
		{"mmrun generate --prompt-file _", ""}, // bash's own file names
		{"mmrun devices --prompt", ""},
		{"mmrun completion _", "bash zsh fish"},
	} {
		words := strings.Fields(test.words)
		for i, word := range words {
			words[i] = "'" + strings.Trim(word, "_") + "'"
		}
		// compopt works only while bash completes.
		driver := fmt.Sprintf("compopt() { :; }\n%s\nCOMP_WORDS=(%s); COMP_CWORD=%d; _mmrun; echo \"${COMPREPLY[*]}\"", script, strings.Join(words, " "), len(words)-1)
		out, err := exec.Command("bash", "-c", driver).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != test.want {
			t.Errorf("%q: %q (%v), want %q", test.words, got, err, test.want)
		}
	}
}

// TestManPage: all commands and flags are in it, and no line of text is taken for a request.
func TestManPage(t *testing.T) {
	page := succeed(t, "man")
	for _, cmd := range testApp(nil).Commands {
		if !strings.Contains(page, "\n.SS "+roff(cmd.Name)+" ") {
			t.Errorf("%s is missing", cmd.Name)
		}
		for _, flag := range cmd.Flags {
			if !strings.Contains(page, roff(dashed(flag.Names()[0]))) {
				t.Errorf("%s of %s is missing", dashed(flag.Names()[0]), cmd.Name)
			}
		}
	}
	requests := []string{".TH", ".SH", ".SS", ".B", ".I", ".P", ".TP", ".nf", ".fi", ".RS", ".RE"}
	for i, line := range strings.Split(page, "\n") {
		if word, _, _ := strings.Cut(line, " "); (strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'")) && !slices.Contains(requests, word) {
			t.Errorf("line %d: %q", i+1, line)
		}
	}
	if got := roff("-a \\n\n.TH\n'x"); got != "\\-a \\en\n\\&.TH\n\\&'x" {
		t.Errorf("%q", got)
	}
}

// TestGroups: every command is of a group that the list of commands has.
func TestGroups(t *testing.T) {
	for _, cmd := range testApp(nil).Commands {
		if !slices.Contains(groups, cmd.Category) {
			t.Errorf("%s is of group %q, which is not in the list", cmd.Name, cmd.Category)
		}
	}
}

func TestVersion(t *testing.T) {
	r := versionReport{Version: "1.2.3", Commit: "0123456789abcdef", Date: "2026-01-02", Modified: true, Go: "go1", Platform: "a/b"}
	if got, want := r.text(), "1.2.3 (commit 0123456789ab and changes of 2026-01-02) go1 a/b"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := (versionReport{Version: "dev", Go: "go1", Platform: "a/b"}).text(), "dev (commit unknown) go1 a/b"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if line := succeed(t, "version"); line != succeed(t, "--version") || !strings.HasPrefix(line, "mmrun ") || strings.Count(line, "\n") != 1 {
		t.Errorf("%q", line)
	}
	if told := succeed(t, "version", "--json"); !strings.Contains(told, `"platform":"`) {
		t.Errorf("%q", told)
	}
}
