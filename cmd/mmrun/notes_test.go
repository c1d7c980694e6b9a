package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/checkpoint/safetensors"
	"github.com/mmrun/mmrun/memmamba"
)

const novel = "It was a bright cold day in April, and the clocks were striking <thirteen>.\nÀ bientôt </script> & so on, said the \U0001f600 man. "

// TestNotesAreThePools compares what notes tells with what logits writes for the same tokens.
func TestNotesAreThePools(t *testing.T) {
	for _, name := range []string{"memmamba-fifo", "memmamba-priority"} {
		dir, text := modelDir(t, name), file(t, "text", novel)
		var r notesReport
		if err := json.Unmarshal([]byte(succeed(t, "notes", "--model", dir, "--prompt-file", text, "--json")), &r); err != nil {
			t.Fatal(err)
		}
		if r.Tokens != len(novel) || r.Window != 16 || r.Windows != (len(novel)+15)/16 || len(r.Layers) != 8 {
			t.Errorf("%d tokens in %d windows of %d, %d layers", r.Tokens, r.Windows, r.Window, len(r.Layers))
		}
		ids, out := file(t, "ids", succeed(t, "tokenize", "--model", dir, "--prompt-file", text)), filepath.Join(t.TempDir(), "out")
		succeed(t, "logits", "--model", dir, "--tokens-file", ids, "--out", out)
		f, err := safetensors.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		wantReads := ints(t, f, "reads")
		for l, layer := range r.Layers {
			for w := range r.Windows {
				if slices.Contains(layer.Reads, w) != (wantReads[w*8+l] == 1) {
					t.Errorf("%s: layer %d, window %d: reads %v, want %d", name, l, w, layer.Reads, wantReads[w*8+l])
				}
			}
			checkKept(t, fmt.Sprintf("%s: layer %d", name, l), layer, floats(t, f, fmt.Sprintf("importance.%d", l)))
		}
	}
}

// TestNotesShowTriggers: the windows in which layers read those before them are those of logits, and text and page
// show them.
func TestNotesShowTriggers(t *testing.T) {
	const text = "It was a bright cold day in April, and the clocks were striking thirteen."
	dir, out, page := modelDir(t, "memmamba-triggered"), filepath.Join(t.TempDir(), "out"), filepath.Join(t.TempDir(), "page")
	var r notesReport
	if err := json.Unmarshal([]byte(succeed(t, "notes", "--model", dir, "--prompt", text, "--json")), &r); err != nil {
		t.Fatal(err)
	}
	ids := file(t, "ids", succeed(t, "tokenize", "--model", dir, text))
	succeed(t, "logits", "--model", dir, "--tokens-file", ids, "--out", out)
	f, err := safetensors.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want, all := ints(t, f, "layer_reads"), 0
	for l, layer := range r.Layers {
		if (layer.Before != nil) != (l%2 == 1) {
			t.Errorf("layer %d is triggered in %v", l, layer.Before)
		}
		all += len(layer.Before)
		for w := range r.Windows {
			if slices.Contains(layer.Before, w) != (want[w*6+l] == 1) {
				t.Errorf("layer %d, window %d: reads of layers before in %v, want %d", l, w, layer.Before, want[w*6+l])
			}
		}
	}
	if all == 0 || all == 3*r.Windows {
		t.Errorf("%d triggers in %d windows of 3 layers", all, r.Windows)
	}
	if told := succeed(t, "notes", "--model", dir, "--prompt", text); strings.Count(told, "; layers before it read in ") != 3 {
		t.Errorf("the text does not show the triggers:\n%s", told)
	}
	succeed(t, "notes", "--model", dir, "--prompt", text, "--html", page)
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if said := string(data); strings.Count(said, `"before":`) != 3 || !strings.Contains(said, "layers before read above 0.5") || !strings.Contains(said, "swatch before") {
		t.Error("the page does not show the triggers")
	}
}

func checkKept(t *testing.T, name string, layer *layerNotes, want []float32) {
	t.Helper()
	var got []float32
	for _, n := range layer.kept() {
		got = append(got, n.Importance)
		if one := novel[n.Position : n.Position+1]; one < "\x80" && n.Text != one {
			t.Errorf("%s: note of token %d is %q, want %q", name, n.Position, n.Text, one)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: pool holds %v, want %v", name, got, want)
	}
	if layer.Written != len(layer.Notes) || layer.Written < len(got) {
		t.Errorf("%s: %d written, %d shown, %d kept", name, layer.Written, len(layer.Notes), len(got))
	}
}

func ints(t *testing.T, f *safetensors.File, name string) []int32 {
	t.Helper()
	tensor, _ := f.Tensor(name)
	v, err := tensor.Int32s()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func floats(t *testing.T, f *safetensors.File, name string) []float32 {
	t.Helper()
	tensor, _ := f.Tensor(name)
	v, err := tensor.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestFollow(t *testing.T) {
	pieces := strings.Split("abcdefgh", "")
	pool := func(positions ...int64) (notes []memmamba.Note) {
		for _, p := range positions {
			notes = append(notes, memmamba.Note{Position: p, Importance: float32(p)})
		}
		return notes
	}
	l := &layerNotes{}
	l.follow(0, nil, pieces)
	l.follow(1, pool(0, 2), pieces)
	l.follow(2, pool(2, 3), pieces)
	l.follow(3, pool(3, 6, 7), pieces)
	var got []string
	for _, n := range l.Notes {
		s := fmt.Sprint(n.Position, n.Text)
		if n.Left != nil {
			s += fmt.Sprint(" until ", *n.Left)
		}
		got = append(got, s)
	}
	want := []string{"0a until 2", "2c until 3", "3d", "6g", "7h"}
	if !slices.Equal(got, want) || l.Written != 5 || len(l.kept()) != 3 {
		t.Errorf("got %q, %d written, %d kept; want %q", got, l.Written, len(l.kept()), want)
	}
}

// TestNotesPage: the page is whole, needs nothing from elsewhere, and no text can break out of it.
func TestNotesPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes.html")
	if out := succeed(t, "notes", "--model", modelDir(t, "memmamba-fifo"), "--prompt", novel, "--html", path); out != "" {
		t.Errorf("standard output holds %q", out)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	if outside := regexp.MustCompile(`https?:|src=|<link|@import|url\(`).FindString(page); outside != "" {
		t.Errorf("the page refers to something outside: %s", outside)
	}
	if n := strings.Count(page, "</script>"); n != 2 {
		t.Errorf("%d scripts end, want 2", n)
	}
	_, rest, _ := strings.Cut(page, `<script type="application/json" id="data">`)
	text, _, _ := strings.Cut(rest, "</script>")
	var d pageData
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	if strings.Join(d.Tokens, "") != novel || d.Window != 16 || len(d.Layers) != 8 || len(d.Layers[0].Notes) == 0 {
		t.Errorf("%d tokens, window %d, %d layers", len(d.Tokens), d.Window, len(d.Layers))
	}
	for _, id := range regexp.MustCompile(`byId\("([a-z-]+)"\)`).FindAllStringSubmatch(notesJS, -1) {
		if !strings.Contains(notesHTML, `id="`+id[1]+`"`) {
			t.Errorf("the script looks for %q, which the page has not", id[1])
		}
	}
}

func TestNotesText(t *testing.T) {
	out := succeed(t, "notes", "--model", modelDir(t, "memmamba-fifo"), "--prompt", novel)
	if got := (&notesReport{Model: "m", Tokens: 1, Windows: 1, Window: 16, settings: memmamba.MemoryConfig{PoolSize: 50, Replacement: "fifo"}}).text(); got != "m read 1 token in 1 window of 16; a pool holds 50 notes (fifo)\n" {
		t.Errorf("a short text: %q", got)
	}
	for _, want := range []string{" in 8 windows of 16; a pool holds 50 notes (fifo)", "\nlayer 7: ", "position  importance  token"} {
		if !strings.Contains(out, want) {
			t.Errorf("the text does not say %q:\n%s", want, out)
		}
	}
	wantError(t, execute(t, "", "notes", "-q", "--model", modelDir(t, "mamba-tiny"), "x"), exitFailure, `model_type "mamba" writes no notes`)
	wantError(t, execute(t, "", "notes", "-q", "--model", modelDir(t, "memmamba-fifo"), ""), exitFailure, "the text is empty")
	wantError(t, execute(t, "", "notes"), exitUsage, "no text")
}

func TestRanges(t *testing.T) {
	if got := ranges([]int{1, 2, 3, 5, 8, 9}); got != "1-3, 5, 8-9" {
		t.Errorf("got %q", got)
	}
}
