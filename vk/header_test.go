package vk

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestHeaders compares the layout of every struct and the value of every enumerator of the headers
// here with the whole header that the binding carries.
func TestHeaders(t *testing.T) {
	var ours string
	for _, name := range []string{"vulkan_1_0.h", "vulkan_1_1.h"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		ours += string(b)
	}
	var prints []string
	for _, m := range regexp.MustCompile(`(?s)typedef struct (\w+) \{(.*?)\} \w+;`).FindAllStringSubmatch(ours, -1) {
		prints = append(prints, fmt.Sprintf(`printf("%[1]s %%zu\n", sizeof(%[1]s));`, m[1]))
		for _, f := range regexp.MustCompile(`(\w+)(\[\w+\])*;`).FindAllStringSubmatch(m[2], -1) {
			prints = append(prints, fmt.Sprintf(`printf("%[1]s.%[2]s %%zu %%zu\n", offsetof(%[1]s, %[2]s), sizeof(((%[1]s *)0)->%[2]s));`, m[1], f[1]))
		}
	}
	structs := len(prints)
	for _, m := range regexp.MustCompile(`\b(VK_[A-Z0-9_]+) = `).FindAllStringSubmatch(ours, -1) {
		prints = append(prints, fmt.Sprintf(`printf("%[1]s %%lld\n", (long long)%[1]s);`, m[1]))
	}
	if structs < 300 || len(prints)-structs < 40 {
		t.Fatalf("only %d fields and %d enumerators found", structs, len(prints)-structs)
	}
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/goki/vulkan").Output()
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	got := layout(t, here, "vulkan_1_1.h", prints)
	want := layout(t, filepath.Join(strings.TrimSpace(string(dir)), "vulkan"), "vulkan_core.h", prints)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("here %q, in the binding %q", got[i], want[i])
		}
	}
}

// layout compiles and runs a program that prints through the given header.
func layout(t *testing.T, dir, header string, prints []string) []string {
	t.Helper()
	src := filepath.Join(t.TempDir(), "layout.c")
	bin := strings.TrimSuffix(src, ".c")
	text := fmt.Sprintf("#include <stdio.h>\n#include <stddef.h>\n#include \"%s\"\nint main(void) {\n%s\nreturn 0; }\n",
		header, strings.Join(prints, "\n"))
	if err := os.WriteFile(src, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cc, err := exec.Command("go", "env", "CC").Output()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(strings.TrimSpace(string(cc)), "-w", "-DVK_NO_PROTOTYPES", "-I", dir, "-o", bin, src).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command(bin).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(prints) {
		t.Fatalf("%d lines, want %d", len(lines), len(prints))
	}
	return lines
}
