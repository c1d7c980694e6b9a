package main

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/checkpoint/safetensors"
	"github.com/mmrun/mmrun/models"
)

// surprises are -ln of the probabilities that a file of tokens and logits gives to every token but the
// first.
func surprises(t *testing.T, path string) (ids []int32, nats []float64) {
	t.Helper()
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tokens, _ := f.Tensor("tokens")
	if ids, err = tokens.Int32s(); err != nil {
		t.Fatal(err)
	}
	all, _ := f.Tensor("logits")
	logits, err := all.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	vocab := len(logits) / len(ids)
	for i, id := range ids[1:] {
		var sum float64
		for _, x := range logits[i*vocab : (i+1)*vocab] {
			sum += math.Exp(float64(x))
		}
		nats = append(nats, math.Log(sum)-float64(logits[i*vocab+int(id)]))
	}
	return ids, nats
}

// surprisesOf are those that the logits command leads to, for every token but the first.
func surprisesOf(t *testing.T, dir string, ids []byte) []float64 {
	t.Helper()
	var list []string
	for _, id := range ids {
		list = append(list, fmt.Sprint(id))
	}
	out := filepath.Join(t.TempDir(), "logits.safetensors")
	succeed(t, "logits", "--model", dir, "--tokens", strings.Join(list, ","), "--out", out)
	_, nats := surprises(t, out)
	return nats
}

func perplexityOf(t *testing.T, args ...string) *perplexityModel {
	t.Helper()
	var r perplexityReport
	if err := json.Unmarshal([]byte(succeed(t, append([]string{"perplexity", "--json"}, args...)...)), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Models) != 1 {
		t.Fatalf("%d models", len(r.Models))
	}
	return r.Models[0]
}

// wantSurprise holds a figure of tokens of one byte to the surprises it comes from.
func wantSurprise(t *testing.T, what string, got surpriseReport, nats []float64) {
	t.Helper()
	var sum float64
	for _, x := range nats {
		sum += x
	}
	each := sum / float64(len(nats))
	if got.Tokens != int64(len(nats)) {
		t.Errorf("%s: %d tokens, want %d", what, got.Tokens, len(nats))
	}
	if d := float64(got.Perplexity.Value)/math.Exp(each) - 1; !(math.Abs(d) < 1e-4) {
		t.Errorf("%s: perplexity %v, want %v", what, got.Perplexity.Value, math.Exp(each))
	}
	if d := float64(got.BitsPerByte.Value)/(each/math.Ln2) - 1; !(math.Abs(d) < 1e-4) {
		t.Errorf("%s: %v bits per byte, want %v", what, got.BitsPerByte.Value, each/math.Ln2)
	}
}

// TestPerplexityOfTheGolden: the bundled model has the bits per byte that PyTorch's float64 logits give.
func TestPerplexityOfTheGolden(t *testing.T) {
	ids, nats := surprises(t, filepath.Join("..", "..", "models", models.Bundled, "golden.safetensors"))
	var text []byte
	for _, id := range ids {
		text = append(text, byte(id))
	}
	r := perplexityOf(t, "--file", file(t, "alice.txt", string(text)), "--no-bos")
	if r.Bytes != int64(len(text)) || r.Tokens != int64(len(text)) || r.BOS != nil || len(r.Contexts) != 1 {
		t.Fatalf("%+v", r)
	}
	wantSurprise(t, "all", r.Contexts[0].surpriseReport, nats)
}

func TestPerplexityByContext(t *testing.T) {
	const context = 70
	dir, text := modelDir(t, "memmamba-fifo"), []byte(strings.Repeat("So it goes on, word by word. ", 6)) // 174 bytes
	path := file(t, "text", string(text))
	for _, bos := range []bool{true, false} {
		args, first := []string{"--model", dir, "--file", path, "--context", fmt.Sprintf("%d,all", context)}, []byte{0}
		if !bos {
			args, first = append(args, "--no-bos"), nil
		}
		r := perplexityOf(t, args...)
		if len(r.Contexts) != 2 || r.Contexts[0].Context != context || r.Contexts[1].Context != 0 || (r.BOS != nil) != bos {
			t.Fatalf("bos %v: %+v", bos, r)
		}
		wantSurprise(t, "all", r.Contexts[1].surpriseReport, surprisesOf(t, dir, append(first, text...)))
		var pieces, early, late []float64
		for from := 0; from < len(text); from += context {
			piece := surprisesOf(t, dir, append(first[:len(first):len(first)], text[from:min(from+context, len(text))]...))
			split := min(len(piece), firstBucket-1+len(first))
			pieces, early, late = append(pieces, piece...), append(early, piece[:split]...), append(late, piece[split:]...)
		}
		got := r.Contexts[0]
		wantSurprise(t, "pieces", got.surpriseReport, pieces)
		if len(got.Positions) != 2 || got.Positions[1].From != firstBucket || got.Positions[1].To != context {
			t.Fatalf("positions %+v", got.Positions)
		}
		wantSurprise(t, "first positions", got.Positions[0].surpriseReport, early)
		wantSurprise(t, "last positions", got.Positions[1].surpriseReport, late)
	}
}

func TestPerplexityAsText(t *testing.T) {
	path := file(t, "text", strings.Repeat("word ", 100))
	out := succeed(t, "perplexity", "--file", path, "--context", "100,all")
	for _, want := range []string{"500 bytes, 500 tokens", "\ncontext  tokens  perplexity", "\ncontext 100, by position", "\ncontext all, by position", "\n 256  499"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if o := execute(t, "standard words", "perplexity", "--file", "-", "--quiet"); o.status != 0 || !strings.Contains(o.stdout, "standard input: 14 bytes") {
		t.Errorf("standard input: %+v", o)
	}
}

func TestPerplexityAgainst(t *testing.T) {
	picture, other := filepath.Join(t.TempDir(), "perplexity.png"), modelDir(t, "memmamba-fifo")
	out := succeed(t, "perplexity", "--against", other, "--file", file(t, "text", strings.Repeat("word ", 60)),
		"--context", "100,all", "--plot", picture)
	for _, want := range []string{"model   " + models.Bundled + ":", "\nmodel   " + other + ":"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	wantPicture(t, picture)
}

func TestPerplexityRefuses(t *testing.T) {
	empty, one, broken := file(t, "empty", ""), file(t, "one", "x"), file(t, "broken", "a\xff")
	for _, test := range []struct {
		args   []string
		status int
		says   string
	}{
		{nil, exitUsage, "perplexity needs --file"},
		{[]string{"--file", one, "--context", "1"}, exitUsage, "--context: 1 is less than 2"},
		{[]string{"--file", one, "--context", "64,x"}, exitUsage, `--context: "x" is not a whole number`},
		{[]string{"--file", one, "--context", "64,64"}, exitUsage, "--context: 64 is there twice"},
		{[]string{"--file", one, "--context", "99999999999999999999"}, exitUsage, "is out of range"},
		{[]string{"--file", t.TempDir()}, exitFailure, "is a directory"},
		{[]string{"--file", one + "x"}, exitFailure, "no such file"},
		{[]string{"--file", empty}, exitFailure, empty + ": the text is empty"},
		{[]string{"--file", one, "--no-bos"}, exitFailure, one + ": the text has a single token"},
		{[]string{"--file", broken}, exitFailure, broken + ": not UTF-8 at byte 1"},
	} {
		wantError(t, execute(t, "", append([]string{"perplexity", "--quiet"}, test.args...)...), test.status, test.says)
	}
}
