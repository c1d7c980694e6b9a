package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/internal/experiment/retrieval"
)

// TestDemo: the answers stand side by side, the same every time, and the page frames the sentences with the key and
// has notes of its digits.
func TestDemo(t *testing.T) {
	text, page := file(t, "text", demoText[:1500]), filepath.Join(t.TempDir(), "page.html")
	args := []string{"demo", "--text", text, "--key", "31337", "--html", page, "--against", filepath.Join("..", "..", "models", "novels-twin")}
	said := succeed(t, args...)
	if again := succeed(t, args...); again != said {
		t.Errorf("a second run says\n%s, the first\n%s", again, said)
	}
	var r demoReport
	if err := json.Unmarshal([]byte(succeed(t, append(args, "--json")...)), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Models) != 2 || r.Models[0].Wrote != "31337" || !r.Models[0].Right || r.Models[0].Parameters != 1395888 || r.Models[1].Parameters != 801408 {
		t.Fatalf("%+v", r)
	}
	for _, want := range []string{
		"novels-memmamba  novels-twin\n", "\nwrites notes  yes              no\n",
		"\nwrote         31337            " + r.Models[1].Wrote + "\n", "\nwhich is      right            " + verdict(r.Models[1].Right) + "\n",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in\n%s", want, said)
		}
	}
	data := pageOf(t, page)
	fact := strings.TrimSpace(retrieval.Needle("31337"))
	if got := strings.Join(data.Tokens[data.Fact[0]:data.Fact[1]], ""); got != fact {
		t.Errorf("the page frames %q, want %q", got, fact)
	}
	digits := 0
	for i := data.Fact[0]; i < data.Fact[1]; i++ {
		if strings.Contains("31337", data.Tokens[i]) && slices.ContainsFunc(data.Layers, func(l pageLayer) bool {
			return slices.ContainsFunc(l.Notes, func(n [3]float64) bool { return int(n[0]) == i })
		}) {
			digits++
		}
	}
	if digits < 5 || r.Notes < digits || r.Tokens != len(fact) {
		t.Errorf("notes of %d digits on the page; %d of %d tokens told", digits, r.Notes, r.Tokens)
	}
}

// pageOf is what a page of notes works on.
func pageOf(t *testing.T, path string) (data pageData) {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?s)<script type="application/json" id="data">(.*?)</script>`).FindSubmatch(page)
	if found == nil {
		t.Fatalf("%s has no data", path)
	}
	if err := json.Unmarshal(found[1], &data); err != nil {
		t.Fatal(err)
	}
	return data
}

func TestHide(t *testing.T) {
	for _, test := range []struct {
		text  string
		depth int
		want  int // where the fact begins
	}{
		{"One. Two. Three.", 0, 0},
		{"One. Two. Three.", 50, 4},
		{"One. Two. Three.", 60, 9},
		{"One. Two. Three.\n\n", 100, 16},
		{"No end here", 70, 0},
		{"1.5 and 2.5 are numbers", 90, 0},
	} {
		h := hide(input{"x", test.text}, "12345", test.depth)
		if h.from != test.want || h.text[h.from:h.to] != retrieval.Needle("12345") || !strings.HasSuffix(h.text, retrieval.PasskeyQuestion) {
			t.Errorf("%q at %d%%: %q at %d, want %d", test.text, test.depth, h.text, h.from, test.want)
		}
	}
}

func TestDemoRefuses(t *testing.T) {
	for _, test := range []struct{ args, says string }{
		{"--key 1234", `--key: "1234" is not five digits`},
		{"--key 12a45", `--key: "12a45" is not five digits`},
		{"--depth 101", "--depth: 101 is more than 100"},
		{"--depth -1", "--depth: -1 is less than 0"},
		{"--html=", "--html needs the name of a file"},
		{"--text=", "--text needs the name of a file"},
		{"more", `unexpected argument "more"`},
	} {
		wantError(t, execute(t, "", append([]string{"demo"}, strings.Fields(test.args)...)...), exitUsage, test.says)
	}
	page := filepath.Join(t.TempDir(), "page.html")
	wantError(t, execute(t, "", "demo", "--html", page), exitFailure, "the twin without memory is not at models/novels-twin, ")
	wantError(t, execute(t, "", "demo", "--html", page, "--text", file(t, "empty", " \n")), exitFailure, "the text is empty")
	wantError(t, execute(t, "", "demo", "--html", page, "--model", goldenDir("mamba-tiny"), "--against", goldenDir("mamba-tiny")), exitFailure, "writes no notes")
	if _, err := os.Stat(page); err == nil {
		t.Error("a run that failed left a page")
	}
}
