package main

import (
	"bufio"
	"encoding/json"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/mmrun/mmrun"
)

// batch runs generate --batch and returns the objects it prints.
func batch(t *testing.T, lines []string, args ...string) []batchReport {
	t.Helper()
	path := file(t, "prompts", strings.Join(lines, "\n")+"\n")
	return batchReports(t, succeed(t, append([]string{"generate", "--batch", path}, args...)...))
}

func batchReports(t *testing.T, out string) []batchReport {
	t.Helper()
	var reports []batchReport
	for line := range strings.Lines(out) {
		var r batchReport
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		reports = append(reports, r)
	}
	return reports
}

var batchPrompts = []string{"It was a dark", "The", "Where have you been, said the old man", "X", "Once upon a time there"}

// TestBatchIsGenerate: every line's object has what generate --json says of the line alone, with fewer
// places than lines, in the order of the lines; also when they come from standard input.
func TestBatchIsGenerate(t *testing.T) {
	for _, model := range []string{"", "memmamba-fifo"} {
		options := []string{"-n", "20", "--seed", "5", "--stop", "e ", "--repeat-penalty", "1.1"}
		if model != "" {
			options = append(options, "--model", modelDir(t, model))
		}
		reports := batch(t, batchPrompts, append(options, "--batch-size", "2")...)
		if len(reports) != len(batchPrompts) {
			t.Fatalf("%d objects for %d lines", len(reports), len(batchPrompts))
		}
		for i, r := range reports {
			want := generate(t, append(options, batchPrompts[i])...)
			if r.Index != i || r.Seed != 5 || r.Text != want.Text || r.FinishReason != want.FinishReason ||
				itoas(r.Tokens) != itoas(want.Tokens) || itoas(r.PromptTokens) != itoas(want.PromptTokens) {
				t.Errorf("line %d is %+v, alone %+v", i, r, want)
			}
			if r.Timings.Prompt <= 0 || r.Timings.PromptRate <= 0 || r.Timings.Generate <= 0 {
				t.Errorf("line %d: %+v", i, r.Timings)
			}
		}
		o := execute(t, strings.Join(batchPrompts, "\r\n"), append([]string{"generate", "-q", "--batch", "-"}, options...)...)
		for i, r := range batchReports(t, o.stdout) {
			if r.Text != reports[i].Text {
				t.Errorf("line %d from standard input became %q, want %q (%s)", i, r.Text, reports[i].Text, o.stderr)
			}
		}
	}
}

// TestBatchBadInput: a bad line is named before anything is generated.
func TestBatchBadInput(t *testing.T) {
	for text, says := range map[string]string{
		"a\n\nb\n":       "line 2: the prompt is empty",
		"a\nb\nc\xff\n":  "line 3: tokenizer: text is not UTF-8",
		"":               "line 1: the prompt is empty",
		"a\n\n":          "line 2: the prompt is empty",
		"\r\n":           "line 1: the prompt is empty",
		"a\nb\n  \n\r\n": "line 4: the prompt is empty",
	} {
		path := file(t, "prompts", text)
		wantError(t, execute(t, "", "generate", "-q", "--batch", path), exitFailure, path+": "+says)
	}
	wantError(t, execute(t, "", "generate", "-q", "--batch", "/nothing"), exitFailure, "/nothing: no such file")
}

// TestBatchInterrupt sends a signal when the first line's text is complete and printed: the texts under
// way are printed as far as they are.
func TestBatchInterrupt(t *testing.T) {
	options := []string{"-n", "1000000", "--seed", "5", "--temp", "1"}
	whole := generate(t, append(options, batchPrompts[0], "-n", "40")...)
	path := file(t, "prompts", strings.Join(batchPrompts, "\n"))
	cmd, stdout, stderr := start(t, append([]string{"generate", "-q", "--batch", path, "--batch-size", "2", "--stop", whole.Text[10:35]}, options...)...)
	r := bufio.NewReader(stdout)
	first, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(r)
	cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 130 || stderr.String() != "" {
		t.Errorf("status %d, standard error %q", got, stderr)
	}
	reports := batchReports(t, first+string(rest))
	if len(reports) < 2 || len(reports) == len(batchPrompts) || reports[0].FinishReason != string(mmrun.FinishStop) || reports[0].Text != whole.Text[:10] {
		t.Fatalf("%d objects, the first %+v", len(reports), reports[0])
	}
	for _, r := range reports[1:] {
		if r.FinishReason != string(mmrun.FinishInterrupted) {
			t.Errorf("%+v", r)
		}
	}
}

// TestBenchClients measures two numbers of clients.
func TestBenchClients(t *testing.T) {
	var report benchReport
	out := succeed(t, "bench", "--json", "-p", "20", "-n", "3", "-r", "2", "--clients", "1,3", "--places", "2")
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Clients) != 2 {
		t.Fatalf("%s", out)
	}
	for i, n := range []int{1, 3} {
		if r := report.Clients[i]; r.Clients != n || r.Places != 2 || r.Requests != 2*n || r.Generated != 6*n || r.Prompt < 2*n || r.Rate <= 0 || r.First99 < r.FirstMedian || r.FirstMedian <= 0 || r.BetweenMedian <= 0 {
			t.Errorf("%+v", r)
		}
	}
}

// TestBenchBatch measures two sizes of batch.
func TestBenchBatch(t *testing.T) {
	var report benchReport
	out := succeed(t, "bench", "--json", "-p", "0", "-n", "3", "-r", "1", "--batch", "1, 3")
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Results) != 3 {
		t.Fatalf("%s", out)
	}
	for i, n := range []int{1, 3} {
		if r := report.Results[i+1]; r.Batch != n || r.Tokens != 3*n || r.Mean <= 0 {
			t.Errorf("%+v", r)
		}
	}
}
