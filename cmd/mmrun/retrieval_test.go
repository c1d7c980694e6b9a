package main

import (
	"encoding/json"
	"fmt"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/internal/experiment/retrieval"
)

// bytesOf is the tokenizer of the test models.
func bytesOf(text string) ([]int32, error) {
	ids := make([]int32, len(text))
	for i := range len(text) {
		ids[i] = int32(text[i])
	}
	return ids, nil
}

// wantContinuation checks that what a model wrote is what generate writes after the prompt, which was
// read without branches.
func wantContinuation(t *testing.T, dir string, p retrieval.Prompt, r reply) {
	t.Helper()
	text := make([]byte, len(p.Tokens))
	for i, id := range p.Tokens {
		text[i] = byte(id)
	}
	out := succeed(t, "generate", "--model", dir, "--prompt-file", file(t, "prompt", string(text)),
		"--temp", "0", "--max-tokens", fmt.Sprint(retrieval.AnswerTokens))
	wrote := strings.TrimSuffix(r.Wrote, "\ufffd") // a character that the answer's end has cut
	if r.Answer != p.Answer || r.Wrote == "" || !strings.HasPrefix(out, wrote) {
		t.Errorf("%s: wrote %q, generate writes %q", p.Answer, r.Wrote, out)
	}
}

// wantPicture checks that a file is a PNG.
func wantPicture(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := png.Decode(f); err != nil {
		t.Error(err)
	}
}

func TestPasskeyCommand(t *testing.T) {
	dir, other := modelDir(t, "memmamba-priority"), modelDir(t, "mamba-tiny")
	picture := filepath.Join(t.TempDir(), "passkey.png")
	out := succeed(t, "passkey", "--model", dir, "--against", other, "--lengths", "230,120", "--depths", "3", "--trials", "2",
		"--seed", "5", "--plot", picture, "--json")
	var r passkeyReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Seed != 5 || r.Trials != 2 || len(r.Models) != 2 || r.Models[1].Model != other || len(r.Depths) != 3 || r.Depths[1] != 0.5 {
		t.Fatalf("%s", out)
	}
	task, err := retrieval.NewPasskey(bytesOf, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range r.Models[0].Lengths {
		if l.Trials != 6 || len(l.Depths) != 3 || l.Low > l.Accuracy || l.High < l.Accuracy || l.Seconds <= 0 {
			t.Fatalf("%+v", l)
		}
		prompts, err := task.Prompts(5, l.Length, 3, 1)
		if err != nil {
			t.Fatal(err)
		}
		for i, cell := range l.Depths {
			if len(cell.Replies) != 2 || cell.Depth != r.Depths[i] {
				t.Fatalf("%+v", cell)
			}
			wantContinuation(t, dir, prompts[i], cell.Replies[1])
		}
	}
	for i, l := range r.Models[1].Lengths {
		if r.Models[0].Lengths[i].Paired != nil || l.Paired == nil || *l.Paired != *pairedOf(r.Models[0].Lengths[i].replies(), l.replies()) {
			t.Errorf("%+v and %+v", r.Models[0].Lengths[i].Paired, l.Paired)
		}
	}
	wantPicture(t, picture)
	text := succeed(t, "passkey", "--model", dir, "--against", other, "--against", dir, "--lengths", "100", "--depths", "2", "--trials", "1",
		"--filler", filepath.Join("..", "..", "README.md"))
	const headings = "tokens  at 25%  at 75%  accuracy  low  high  seconds"
	if strings.Count(text, headings+"\n   100 ") != 1 || strings.Count(text, headings+"  first only  this only  p\n   100 ") != 2 {
		t.Errorf("%s", text)
	}
}

// TestPairedOf counts prompts that one of two models alone answers.
func TestPairedOf(t *testing.T) {
	of := func(right string) (all []reply) {
		for _, r := range right {
			all = append(all, reply{Right: r == '+'})
		}
		return all
	}
	if got := *pairedOf(of("++++-+"), of("-+--++")); got.FirstOnly != 3 || got.ThisOnly != 1 || math.Abs(got.P-0.625) > 1e-9 {
		t.Errorf("%+v", got)
	}
}

// TestKeysCommand: three kinds of every length, the same prompts for every model, and pictures from JSON as well.
func TestKeysCommand(t *testing.T) {
	dir, other, folder := modelDir(t, "memmamba-fifo"), modelDir(t, "mamba-tiny"), t.TempDir()
	picture := filepath.Join(folder, "keys.png")
	out := succeed(t, "keys", "--model", dir, "--against", other, "--lengths", "620", "--keys", "3", "--trials", "1", "--plot", picture, "--json")
	var r keysReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Keys != 3 || len(r.Models) != 2 || len(r.Models[0].Cases) != 3 || r.Models[1].Cases[2].Paired == nil {
		t.Fatalf("%s", out)
	}
	task, err := retrieval.NewKeys(bytesOf, nil, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, kind := range retrieval.KeyKinds {
		got := r.Models[0].Cases[i]
		p, err := task.Prompt(1, kind, 620, 0)
		if err != nil || got.Kind != kind || got.Length != 620 || len(got.Replies) != 1 || got.score.Trials != 1 {
			t.Fatalf("%+v (%v)", got, err)
		}
		if i == 2 {
			wantContinuation(t, dir, p, got.Replies[0])
		}
	}
	wantPicture(t, picture)
	succeed(t, "plot", file(t, "keys", out), "--out", picture)
	wantError(t, execute(t, "", "keys", "-q", "--model", dir, "--lengths", "99"), exitFailure, "length 99 is below the task's")
}

func TestDocsCommand(t *testing.T) {
	dir, picture := modelDir(t, "memmamba-fifo"), filepath.Join(t.TempDir(), "docs.png")
	out := succeed(t, "docs", "--model", dir, "--documents", "2,1", "--trials", "2", "--plot", picture, "--json")
	var r docsReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Seed != 1 || r.Trials != 2 || len(r.Models) != 1 || len(r.Models[0].Counts) != 2 {
		t.Fatalf("%s", out)
	}
	for i, k := range []int{2, 1} {
		got := r.Models[0].Counts[i]
		if got.Documents != k || got.Noise != k-1 || len(got.Replies) != 2 || got.score.Trials != 2 {
			t.Fatalf("%+v", got)
		}
		p, err := retrieval.NewDocuments(bytesOf).Prompt(1, k, 1)
		if err != nil {
			t.Fatal(err)
		}
		wantContinuation(t, dir, p, got.Replies[1])
	}
	wantPicture(t, picture)
	if text := succeed(t, "docs", "--model", dir, "--documents", "1", "--trials", "1"); !strings.Contains(text, "\n        1      0 ") {
		t.Errorf("%s", text)
	}
}

// TestRightAnswersCount: a score is made of the answers that are right.
func TestRightAnswersCount(t *testing.T) {
	s := scoreOf(3, 4)
	if s.Accuracy != 0.75 || s.Right != 3 || s.Trials != 4 || strings.Join(s.cells(), " ") != "75% 30% 95%" {
		t.Errorf("%+v, %v", s, s.cells())
	}
}

func TestToRead(t *testing.T) {
	prompt := func(text string) retrieval.Prompt {
		ids, _ := bytesOf(text)
		return retrieval.Prompt{Tokens: ids}
	}
	for _, test := range []struct {
		prompts []string
		want    int64
	}{{[]string{"abcd"}, 4}, {[]string{"abxx", "abcx", "abcd"}, 2 + 2 + 1 + 1 + 1}, {[]string{"ab", "ab"}, 1 + 1 + 1}, {[]string{"x", "y"}, 2}} {
		var prompts []retrieval.Prompt
		for _, text := range test.prompts {
			prompts = append(prompts, prompt(text))
		}
		if got := (&opened{}).toRead(prompts); got != test.want {
			t.Errorf("%v: %d tokens, want %d", test.prompts, got, test.want)
		}
	}
}

func TestRetrievalRefuses(t *testing.T) {
	nothing := filepath.Join(t.TempDir(), "nothing")
	empty := file(t, "empty", "")
	for _, test := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"passkey", "--lengths", "1000,20"}, exitFailure, "length 20 is below the task's 97 tokens"},
		{[]string{"passkey", "--lengths", "200,99999999999"}, exitUsage, "--lengths: 99999999999 is more than 16777216"},
		{[]string{"passkey", "--depths", "99999999999"}, exitUsage, "--depths: 99999999999 is more than 1000"},
		{[]string{"passkey", "--lengths", "0"}, exitUsage, "--lengths: 0 is less than 1"},
		{[]string{"passkey", "--lengths", ""}, exitUsage, `--lengths: "" is not a whole number`},
		{[]string{"passkey", "--depths", "0"}, exitUsage, "--depths: 0 is less than 1"},
		{[]string{"passkey", "--trials", "0"}, exitUsage, "--trials: 0 is less than 1"},
		{[]string{"passkey", "--filler", nothing}, exitFailure, nothing + ": no such file"},
		{[]string{"passkey", "--filler", empty}, exitFailure, empty + ": the text is empty"},
		{[]string{"passkey", "--against", nothing}, exitFailure, nothing + ": no such file or directory"},
		{[]string{"passkey", "--plot", ""}, exitUsage, "--plot needs the name of a file"},
		{[]string{"passkey", "--plot", filepath.Join(nothing, "x.png")}, exitFailure, "no such file"},
		{[]string{"docs", "--documents", "0"}, exitUsage, "--documents: 0 is less than 1"},
		{[]string{"docs", "--documents", "401"}, exitUsage, "--documents: 401 is more than 400"},
		{[]string{"docs", "more"}, exitUsage, `unexpected argument "more"`},
	} {
		wantError(t, execute(t, "", append(test.args, "--quiet")...), test.status, test.says)
	}
}
