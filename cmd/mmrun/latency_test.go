package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func latencyOf(t *testing.T, args ...string) latencyReport {
	t.Helper()
	var r latencyReport
	if err := json.Unmarshal([]byte(succeed(t, append([]string{"latency", "--json"}, args...)...)), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestLatency: a Mamba's state is as large after the longest context as before, a Transformer's is not, and
// the times of a context go on from those of the one before.
func TestLatency(t *testing.T) {
	picture, temporary := filepath.Join(t.TempDir(), "latency.png"), t.TempDir()
	t.Setenv("TMPDIR", temporary)
	r := latencyOf(t, "--model", goldenDir("memmamba-fifo"), "--contexts", "600,20,300", "--generate", "2", "--chunk", "64", "--plot", picture)
	if !slices.Equal(r.Contexts, []int{20, 300, 600}) || r.Generate != 2 || len(r.Models) != 2 || len(r.Ratios) != 3 {
		t.Fatalf("%+v", r)
	}
	ours, other := r.Models[0], r.Models[1]
	if other.ModelType != "gpt_neox" || other.Layers != ours.Layers || other.Hidden != ours.Hidden || other.Model != aTransformer || other.Parameters <= 0 {
		t.Errorf("against %+v", other)
	}
	for _, m := range r.Models {
		for i, one := range m.Contexts {
			if one.Context != r.Contexts[i] || one.Prompt <= 0 || one.Token <= 0 || one.EndToEnd != one.Prompt+2*one.Token ||
				one.Device <= one.State || i > 0 && one.Prompt <= m.Contexts[i-1].Prompt {
				t.Errorf("%s: %+v", m.Model, one)
			}
		}
	}
	for i, ratio := range r.Ratios {
		if ratio != ours.Contexts[i].EndToEnd/other.Contexts[i].EndToEnd {
			t.Errorf("ratio %g", ratio)
		}
	}
	token := int64(2 * 4 * other.Layers * other.Hidden) // of keys and values, there is no padding
	states := func(m *latencyModel) [3]int64 {
		return [3]int64{m.Contexts[0].State, m.Contexts[1].State, m.Contexts[2].State}
	}
	if got := states(ours); got[0] != got[1] || got[0] != got[2] {
		t.Errorf("states of %v bytes", got)
	}
	if got, want := states(other), [3]int64{256 * token, 512 * token, 640 * token}; got != want {
		t.Errorf("caches of %v bytes, want %v", got, want)
	}
	wantPicture(t, picture)
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary directory: %v, %v", left, err)
	}
}

func TestLatencyAsText(t *testing.T) {
	o := execute(t, "", "latency", "--model", goldenDir("neox-f16"), "--against", goldenDir("mamba-tiny"), "--contexts", "10,20", "--generate", "1")
	out := o.stdout
	if o.status != 0 || strings.Count(o.stderr, "no GPU found") > 1 {
		t.Fatalf("status %d: %s", o.status, o.stderr)
	}
	for _, want := range []string{"neox-f16: gpt_neox, 2 layers, d 80", "\nneox-f16\ncontext  prompt s  token ms", "of the other's time\n     10  ", "\nmamba-tiny\ncontext"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestLatencyRefuses(t *testing.T) {
	neox := goldenDir("neox-parallel")
	for _, test := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"--contexts", "0"}, exitUsage, "--contexts: 0 is less than 1"},
		{[]string{"--contexts", "5,5"}, exitUsage, "--contexts: 5 is there twice"},
		{[]string{"--generate", "0"}, exitUsage, "--generate: 0 is less than 1"},
		{[]string{"--against", ""}, exitUsage, "latency needs --against"},
		{[]string{"--against", "nowhere"}, exitFailure, "nowhere: no such file or directory"},
		{[]string{"--against", neox, "--contexts", "230", "--generate", "20"}, exitFailure, neox + ": a sequence has 240 tokens at the most, fewer than the 250 that"},
		{[]string{"--plot", filepath.Join("nowhere", "x.png")}, exitFailure, "no such file"},
		{[]string{"x"}, exitUsage, `unexpected argument "x"`},
	} {
		wantError(t, execute(t, "", append([]string{"latency", "--quiet"}, test.args...)...), test.status, test.says)
	}
}
