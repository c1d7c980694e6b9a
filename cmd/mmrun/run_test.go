package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/models"
)

func TestTokenize(t *testing.T) {
	const text = "Hé\n\t\u2028 \U0001f600 end"
	ids := succeed(t, "tokenize", text)
	var numbers []int32
	if err := json.Unmarshal([]byte(ids), &numbers); err != nil || len(numbers) != len(text) {
		t.Errorf("%d bytes became %s (%v)", len(text), ids, err)
	}
	for _, input := range []string{ids, strings.Trim(ids, "[]\n"), strings.ReplaceAll(strings.Trim(ids, "[]\n"), ",", "\n")} {
		if o := execute(t, input, "tokenize", "--decode"); o.stdout != text || o.status != 0 {
			t.Errorf("%q decodes to %q (%s)", input, o.stdout, o.stderr)
		}
	}
	if o := execute(t, "", "tokenize"); o.stdout != "[]\n" || o.status != 0 {
		t.Errorf("no text became %q (%s)", o.stdout, o.stderr)
	}
	if got := succeed(t, "tokenize", "--prompt-file", file(t, "text", text)); got != ids {
		t.Errorf("a file became %s, want %s", got, ids)
	}
	tokenizer := filepath.Join("..", "..", "models", models.Bundled, tokenizerName)
	if got := succeed(t, "tokenize", text, "--tokenizer", tokenizer); got != ids {
		t.Errorf("--tokenizer made %s, want %s", got, ids)
	}
}

func TestDevices(t *testing.T) {
	var list []deviceReport
	if err := json.Unmarshal([]byte(succeed(t, "devices", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	taken := 0
	table := succeed(t, "devices")
	for _, d := range list {
		if d.Default {
			taken++
		}
		if d.Name == "" || d.UUID == "" || d.Memory == 0 || d.Limits.MaxStorageBufferRange == 0 || d.Limits.MaxInvocations == 0 {
			t.Errorf("incomplete: %+v", d)
		}
		if !strings.Contains(table, d.Name) {
			t.Errorf("the table does not show %s:\n%s", d.Name, table)
		}
	}
	if taken != 1 {
		t.Errorf("%d devices would be taken, want 1", taken)
	}
	o := execute(t, "", "devices", "--device", "Voodoo")
	if o.status != exitFailure || o.stderr != "mmrun: no device matches \"Voodoo\"\n" {
		t.Errorf("status %d, %q", o.status, o.stderr)
	}
}

func generate(t *testing.T, args ...string) generateReport {
	t.Helper()
	var r generateReport
	out := succeed(t, append([]string{"generate", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return r
}

func TestGenerate(t *testing.T) {
	a := generate(t, "It was a dark", "-n", "40", "--seed", "1")
	if len(a.PromptTokens) != 13 || len(a.Tokens) != 40 || a.FinishReason != string(mmrun.FinishLength) || a.Seed != 1 {
		t.Errorf("%+v", a)
	}
	if a.Timings.Load <= 0 || a.Timings.PromptRate <= 0 || a.Timings.GenerateRate <= 0 || a.Memory.Weights == 0 {
		t.Errorf("timings %+v, memory %+v", a.Timings, a.Memory)
	}
	o := execute(t, "It was a dark", "generate", "-", "-n", "40", "--seed", "1", "--chunk", "5", "--quiet")
	if want := strings.TrimSuffix(a.Text, "\n") + "\n"; o.stdout != want || o.stderr != "" {
		t.Errorf("streamed %q (%s), want %q", o.stdout, o.stderr, want)
	}
	if b := generate(t, "It was a dark", "-n", "40", "--seed", "2"); b.Text == a.Text {
		t.Errorf("two seeds gave %q", a.Text)
	}
	if c := generate(t, "x", "-n", "0"); c.Text != "" || len(c.Tokens) != 0 {
		t.Errorf("-n 0 gave %+v", c)
	}
}

// TestGenerateStop cuts a known text at a string in its middle.
func TestGenerateStop(t *testing.T) {
	whole := generate(t, "It was a dark", "-n", "40", "--temp", "0")
	stop := whole.Text[15:20]
	cut := generate(t, "It was a dark", "-n", "40", "--temp", "0", "--stop", "\x01, ", "--stop", stop)
	want, _, _ := strings.Cut(whole.Text, stop)
	if cut.Text != want || cut.FinishReason != string(mmrun.FinishStop) {
		t.Errorf("got %q (%s), want %q", cut.Text, cut.FinishReason, want)
	}
}

// TestGenerateOnNoTerminal: what a pipe sees is the text, and at most the name of a CPU device.
func TestGenerateOnNoTerminal(t *testing.T) {
	o := execute(t, "", "generate", "It was", "-n", "3")
	if o.status != 0 || strings.Count(o.stderr, "\n") > 1 || strings.Contains(o.stderr, "tok/s") || strings.ContainsAny(o.stderr, "\r\x1b") {
		t.Errorf("status %d, standard error %q", o.status, o.stderr)
	}
}

// TestStateGoesOn interrupts a text at every kind of place and continues it in another process. The state in
// the end, last logits and pools among it, is that of the text as a whole to the byte.
func TestStateGoesOn(t *testing.T) {
	prompt := strings.Repeat("1 + 20 = 21, 3 - 9: ", 2) // bytes below the smallest vocabulary of 64
	for model, places := range map[string][]int{
		"memmamba-fifo":     {0, 7, 8, 9}, // windows of 16 tokens: the prompt ends in the middle of one
		"memmamba-priority": {9},
		"memmamba-token":    {5}, // of one token
		"mamba-tiny":        {3},
	} {
		saved := filepath.Join(t.TempDir(), "saved")
		options := []string{"--model", modelDir(t, model), "--seed", "3", "--repeat-penalty", "1.1", "--state-save", saved}
		run := func(n int, more ...string) (generateReport, []byte) {
			report := generate(t, append(append(options, "-n", itoa(n)), more...)...)
			state, err := os.ReadFile(saved)
			if err != nil {
				t.Fatal(err)
			}
			return report, state
		}
		want, end := run(30, prompt)
		for _, n := range places {
			first, between := run(n, prompt)
			second, last := run(30-n, "--state-load", file(t, "between", string(between)))
			if got := append(first.Tokens, second.Tokens...); itoas(got) != itoas(want.Tokens) || first.Text+second.Text != want.Text {
				t.Errorf("%s interrupted after %d tokens: got %v and %q, want %v and %q", model, n, got, first.Text+second.Text, want.Tokens, want.Text)
			}
			if !bytes.Equal(last, end) {
				t.Errorf("%s interrupted after %d tokens: the state in the end differs", model, n)
			}
		}
	}
	options := []string{"--model", modelDir(t, "memmamba-fifo")}
	state := filepath.Join(t.TempDir(), "state")
	generate(t, append(options, prompt, "-n", "0", "--state-save", state)...)
	wantError(t, execute(t, "", "generate", "-q", "--state-load", state), exitFailure, state+": saved state: of another model")
}

func itoa(n int) string { return strconv.Itoa(n) }
func itoas(ids []int32) string {
	var b strings.Builder
	_ = writeIDs(&b, ids)
	return b.String()
}

// TestInterrupt sends a signal while text streams out.
func TestInterrupt(t *testing.T) {
	for _, test := range []struct {
		signal syscall.Signal
		status int
	}{{syscall.SIGINT, 130}, {syscall.SIGTERM, 143}} {
		state := filepath.Join(t.TempDir(), "state")
		cmd, stdout, stderr := start(t, "generate", "It was", "-n", "1000000", "-q", "--state-save", state)
		r := bufio.NewReader(stdout)
		if _, err := r.ReadByte(); err != nil { // text is streamed before it is complete
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(test.signal); err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(r)
		cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != test.status || stderr.String() != "" {
			t.Errorf("%v: status %d, want %d; standard error %q", test.signal, got, test.status, stderr)
		}
		if !strings.HasSuffix(string(text), "\n") {
			t.Errorf("%v: the last line is not ended: %q", test.signal, text)
		}
		if _, err := os.Stat(state); err != nil {
			t.Errorf("%v: the state was not saved: %v", test.signal, err)
		}
	}
}

// TestBrokenPipe closes the reading end, as head does.
func TestBrokenPipe(t *testing.T) {
	cmd, stdout, stderr := start(t, "generate", "It was", "-n", "1000000", "-q")
	if _, err := bufio.NewReader(stdout).ReadByte(); err != nil {
		t.Fatal(err)
	}
	stdout.Close()
	cmd.Wait()
	if stderr.String() != "" {
		t.Errorf("standard error %q", stderr)
	}
}
