package main

import (
	"encoding/json"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/checkpoint/safetensors"
)

func decimationDir(name string) string {
	return filepath.Join("..", "..", "testdata", "decimamba", name)
}

// decimatedText is a prompt of which tokens can be dropped.
var decimatedText = strings.Repeat("There and back again, 1 + 20 = 21. ", 12)

// TestLogitsDecimate: the file holds what an independent implementation says of a prompt of which three layers
// drop tokens.
func TestLogitsDecimate(t *testing.T) {
	dir, out := decimationDir("deci-three"), filepath.Join(t.TempDir(), "out.safetensors")
	want, err := safetensors.Open(filepath.Join(dir, "golden.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	var list strings.Builder
	if err := writeIDs(&list, ints(t, want, "tokens")); err != nil {
		t.Fatal(err)
	}
	succeed(t, "logits", "--model", dir, "--tokens-file", file(t, "tokens", list.String()), "--out", out,
		"--decimate", "1,2,4", "--decimate-base", "300", "--decimate-keep", "16")
	got, err := safetensors.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	for _, name := range []string{"tokens", "kept.1", "kept.2", "kept.4"} {
		if !reflect.DeepEqual(ints(t, got, name), ints(t, want, name)) {
			t.Errorf("%s: %v, want %v", name, ints(t, got, name), ints(t, want, name))
		}
	}
	logits, last := floats(t, got, "logits"), floats(t, want, "last_logits")
	if tensor, _ := got.Tensor("logits"); !reflect.DeepEqual(tensor.Shape, []int{1, len(last)}) {
		t.Fatalf("logits of shape %v", tensor.Shape)
	}
	for i, x := range last {
		if d := math.Abs(float64(logits[i] - x)); !(d <= 2e-4+2e-4*math.Abs(float64(x))) {
			t.Errorf("logit %d is %g, want %g", i, logits[i], x)
		}
	}
}

// TestGenerateDecimate: the text does not depend on the chunk, says how much stayed, and is the text without where
// everything stays.
func TestGenerateDecimate(t *testing.T) {
	dir := copyOf(t, decimationDir("deci-one"))
	run := func(more ...string) generateReport {
		return generate(t, append([]string{"--model", dir, decimatedText, "-n", "12", "--temp", "0"}, more...)...)
	}
	plain := run()
	some := run("--decimate", "2", "--decimate-base", "60", "--decimate-keep", "9")
	if want := []keptReport{{2, 69}}; !reflect.DeepEqual(some.Kept, want) || some.Timings.PromptRate <= 0 {
		t.Errorf("%v stayed, want %v; %+v", some.Kept, want, some.Timings)
	}
	if again := run("--decimate", "2", "--decimate-base", "60", "--decimate-keep", "9", "--chunk", "50"); again.Text != some.Text {
		t.Errorf("chunks of 50 made %q, of 512 %q", again.Text, some.Text)
	}
	if all := run("--decimate", "1,3"); all.Text != plain.Text || len(all.Kept) != 2 || all.Kept[1].Tokens != len(decimatedText) {
		t.Errorf("%v stayed and made %q, want %q", all.Kept, all.Text, plain.Text)
	}
	if plain.Text == some.Text {
		t.Error("dropped tokens changed nothing")
	}
	wantError(t, execute(t, "", "generate", "-q", "--model", dir, "x", "--decimate", "7"), exitFailure, dir+": --decimate: layers [7]")
	wantError(t, execute(t, "", "generate", "-q", "x", "--decimate", "1"), exitFailure, "a model with a memory drops no tokens")
}

// TestRetrievalDecimate: every prompt is read as a whole, and what stays whole is answered as without.
func TestRetrievalDecimate(t *testing.T) {
	dir := copyOf(t, decimationDir("deci-one"))
	answers := func(more ...string) (wrote []string) {
		var r passkeyReport
		args := []string{"passkey", "--model", dir, "--lengths", "300", "--depths", "3", "--trials", "1", "--json"}
		if err := json.Unmarshal([]byte(succeed(t, append(args, more...)...)), &r); err != nil {
			t.Fatal(err)
		}
		for _, cell := range r.Models[0].Lengths[0].Depths {
			wrote = append(wrote, cell.Replies[0].Wrote)
		}
		return wrote
	}
	plain := answers()
	if all := answers("--decimate", "2"); !reflect.DeepEqual(all, plain) {
		t.Errorf("wrote %q, want %q", all, plain)
	}
	if some := answers("--decimate", "2", "--decimate-base", "30"); reflect.DeepEqual(some, plain) {
		t.Errorf("dropped tokens changed nothing: %q", some)
	}
	succeed(t, "docs", "--model", dir, "--documents", "2", "--trials", "1", "--decimate", "2", "--decimate-base", "30")
}

// TestPerplexityOfTheLast: the ends of whole pieces alone are scored, as they are without dropping where
// everything stays.
func TestPerplexityOfTheLast(t *testing.T) {
	const context, last = 50, 10
	dir := copyOf(t, decimationDir("deci-one"))
	text, sum := decimatedText[:130], 0.0
	for _, piece := range []string{text[:context], text[context : 2*context]} {
		for _, x := range surprisesOf(t, dir, []byte(piece))[context-1-last:] {
			sum += x
		}
	}
	args := []string{"--model", dir, "--file", file(t, "text", text), "--context", "50", "--last", "10", "--no-bos"}
	for _, more := range [][]string{nil, {"--decimate", "2", "--decimate-keep", "50"}} {
		got := perplexityOf(t, append(args, more...)...).Contexts[0]
		if want := math.Exp(sum / (2 * last)); got.Tokens != 2*last || math.Abs(float64(got.Perplexity.Value)-want) > 1e-3*want {
			t.Errorf("%v: %v of %d tokens, want %v", more, got.Perplexity.Value, got.Tokens, want)
		}
		if p := got.Positions; len(p) != 1 || p[0].Tokens != 2*last {
			t.Errorf("%v: positions %+v", more, p)
		}
	}
	if got := perplexityOf(t, append(args, "--decimate", "2", "--decimate-base", "5", "--decimate-keep", "10")...).Contexts[0]; got.Tokens != 2*last {
		t.Errorf("%d tokens", got.Tokens)
	}
	wantError(t, execute(t, "", "perplexity", "-q", "--model", dir, "--file", file(t, "text", text), "--context", "200", "--last", "3"),
		exitFailure, "the text has 130 tokens, no whole piece of 200")
}

// TestDropLayer asks with every layer, and takes the last that is as good as the best.
func TestDropLayer(t *testing.T) {
	dir := copyOf(t, decimationDir("deci-one"))
	var r dropLayerReport
	out := succeed(t, "droplayer", "--model", dir, "--length", "200", "--depths", "2", "--trials", "1", "--decimate-base", "30", "--json")
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Layers) != 5 || r.Layers[4].Layer != 4 || r.Layers[0].Trials != 2 || r.None.Trials != 2 || r.Layer != nil {
		t.Errorf("%s", out)
	}
	if text := succeed(t, "droplayer", "--model", dir, "--length", "150", "--depths", "1", "--trials", "1"); !strings.Contains(text, "no layer: no key was found") {
		t.Error(text)
	}
	of := func(right ...int) (layers []dropLayerScore) {
		for i, n := range right {
			layers = append(layers, dropLayerScore{Layer: i, score: scoreOf(n, 100)})
		}
		return layers
	}
	for want, layers := range map[int][]dropLayerScore{2: of(10, 90, 88, 50), 1: of(90, 91, 70, 3), 3: of(0, 0, 0, 1)} {
		if got := lastCarrier(layers); got == nil || *got != want {
			t.Errorf("layer %v, want %d", got, want)
		}
	}
}
