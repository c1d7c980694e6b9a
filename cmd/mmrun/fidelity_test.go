package main

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/memmamba"
)

// fidelityText has the tokens 32 to 126 in no order, as many as are asked for.
func fidelityText(t *testing.T, n int) string {
	var text []byte
	for i := range n {
		text = append(text, byte(32+(i*i*7+i*13)%95))
	}
	return file(t, "text", string(text))
}

func fidelityOf(t *testing.T, args ...string) fidelityReport {
	t.Helper()
	var r fidelityReport
	if err := json.Unmarshal([]byte(succeed(t, append([]string{"fidelity", "--json"}, args...)...)), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFidelityCommand(t *testing.T) {
	picture := filepath.Join(t.TempDir(), "fidelity.png")
	dir, twin := modelDir(t, "memmamba-priority"), modelDir(t, "mamba-tiny")
	r := fidelityOf(t, "--model", dir, "--against", twin, "--file", fidelityText(t, 200), "--tokens", "192", "--samples", "20", "--plot", picture)
	if r.Tokens != 192 || r.Samples != 20 || len(r.Distances) != 7 || r.Distances[6] != 64 || len(r.Models) != 2 {
		t.Fatalf("%+v", r)
	}
	for i, m := range r.Models {
		cfg, err := openSource(t, m.Model).config()
		if err != nil {
			t.Fatal(err)
		}
		checkCurves(t, m, cfg, len(r.Distances))
		if noted := m.noted(); noted != (i == 0) {
			t.Errorf("%s: notes can be read: %v", m.Model, noted)
		}
		for g, row := range m.ECLMF {
			if len(m.ECLMF) != cfg.Sizes().Layers || math.Abs(float64(row[g])-1) > 1e-9 || row[0] != m.ECLMF[0][g] {
				t.Errorf("%s: ECLMF %v", m.Model, m.ECLMF)
			}
		}
	}
	wantPicture(t, picture)
	again := fidelityOf(t, "--model", twin, "--file", fidelityText(t, 200), "--tokens", "192", "--samples", "20", "--distances", "64,4")
	if len(again.Distances) != 2 || again.Distances[0] != 4 || math.Abs(again.Models[0].State[1]-r.Models[1].State[6]) > 1e-9 {
		t.Errorf("%+v", again)
	}
}

// checkCurves checks what must hold of any model: a state only forgets, and a memory only adds.
func checkCurves(t *testing.T, m *fidelityModel, cfg engine.Config, distances int) {
	t.Helper()
	if len(m.Layers) != cfg.Sizes().Layers {
		t.Fatalf("%s: %d layers", m.Model, len(m.Layers))
	}
	for _, l := range m.Layers {
		for k := range distances {
			if k > 0 && l.State[k] > l.State[k-1] || l.State[k] > 1 || l.ETMF[k] < l.State[k] || l.ETMF[k] > 1 {
				t.Errorf("%s, layer %d: state %v, ETMF %v", m.Model, l.Layer, l.State, l.ETMF)
				break
			}
			if memmamba.MemoryWindow(cfg) == 0 && (l.Noted[k] != 0 || l.ETMF[k] != l.State[k]) {
				t.Errorf("%s, layer %d: notes without a memory", m.Model, l.Layer)
			}
		}
	}
}

// TestFidelityOfHeads: where a head has a decay of its own and groups share B.
func TestFidelityOfHeads(t *testing.T) {
	for _, name := range []string{"mamba2-groups-bf16", "memmamba-over-mamba2"} {
		dir := modelDir(t, name)
		r := fidelityOf(t, "--model", dir, "--file", fidelityText(t, 200), "--tokens", "192", "--samples", "20")
		cfg, err := openSource(t, dir).config()
		if err != nil {
			t.Fatal(err)
		}
		checkCurves(t, r.Models[0], cfg, len(r.Distances))
		if near := r.Models[0].State[0]; !(near > 0 && near < 1) {
			t.Errorf("%s: %g of a token is left after the next", name, near)
		}
	}
}

func TestFidelityAsText(t *testing.T) {
	out := succeed(t, "fidelity", "--file", fidelityText(t, 100), "--tokens", "64", "--samples", "8")
	for _, want := range []string{"the first 64 tokens of", "8 of them followed", "\ndistance  state   ETMF  lowest  highest layer  noted\n       1  ", "\nlayers apart  ECLMF"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestFidelityRefuses(t *testing.T) {
	text := fidelityText(t, 50)
	for _, test := range []struct {
		args   []string
		status int
		says   string
	}{
		{nil, exitUsage, "fidelity needs --file"},
		{[]string{"--file", text}, exitFailure, text + ": the text has 51 tokens, --tokens asks for 4096"},
		{[]string{"--file", text, "--tokens", "3"}, exitUsage, "--tokens: 3 is less than 4"},
		{[]string{"--file", text, "--samples", "1"}, exitUsage, "--samples: 1 is less than 2"},
		{[]string{"--file", text, "--tokens", "40", "--distances", "39"}, exitUsage, "--distances: 39 leaves no two of 40 tokens"},
		{[]string{"--file", text, "--distances", "4,4"}, exitUsage, "--distances: 4 is there twice"},
		{[]string{"--file", "-", "--against", "twin"}, exitUsage, "--file: standard input can be read once only"},
		{[]string{"--file", text + "x"}, exitFailure, "no such file"},
	} {
		wantError(t, execute(t, "", append([]string{"fidelity", "--quiet"}, test.args...)...), test.status, test.says)
	}
}
