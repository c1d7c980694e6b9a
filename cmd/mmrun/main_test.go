package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/models"
)

// asProgram makes the test binary behave as mmrun, so that tests see exit statuses, signals and
// pipes as a shell does.
const asProgram = "MMRUN_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "1" {
		main()
		return
	}
	os.Exit(m.Run())
}

// command is mmrun with arguments, not started yet.
func command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// outcome is what a finished run left behind.
type outcome struct {
	stdout, stderr string
	status         int
}

// execute runs the program to its end.
func execute(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	return finish(t, command(args...), stdin)
}

// start runs the program in the background; what it prints comes out of the pipe.
func start(t *testing.T, args ...string) (cmd *exec.Cmd, stdout io.ReadCloser, stderr *strings.Builder) {
	t.Helper()
	cmd, stderr = command(args...), new(strings.Builder)
	cmd.Stderr = stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return cmd, stdout, stderr
}

func finish(t *testing.T, cmd *exec.Cmd, stdin string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// succeed runs the program and returns its standard output; anything but success fails the test.
func succeed(t *testing.T, args ...string) string {
	t.Helper()
	o := execute(t, "", args...)
	if o.status != 0 {
		t.Fatalf("mmrun %s: status %d: %s", strings.Join(args, " "), o.status, o.stderr)
	}
	return o.stdout
}

// wantError checks that a run printed nothing but one line of complaint.
func wantError(t *testing.T, o outcome, status int, says string) {
	t.Helper()
	if o.status != status {
		t.Errorf("status %d, want %d: %s", o.status, status, o.stderr)
	}
	if o.stdout != "" {
		t.Errorf("standard output holds %q", o.stdout)
	}
	line, rest, ended := strings.Cut(o.stderr, "\n")
	if !strings.HasPrefix(line, "mmrun: ") || !ended || rest != "" {
		t.Errorf("standard error is not one line: %q", o.stderr)
	}
	if !strings.Contains(line, says) {
		t.Errorf("%q does not say %q", line, says)
	}
}

// goldenDir is the directory of a golden model.
func goldenDir(name string) string { return filepath.Join("..", "..", "testdata", "golden", name) }

func goldenFile(name string) string { return filepath.Join(goldenDir(name), "golden.safetensors") }

// modelDir is a copy of a golden model with the bundled model's tokenizer of bytes.
func modelDir(t *testing.T, name string) string {
	t.Helper()
	return copyOf(t, goldenDir(name))
}

// copyOf is a copy of the model in a directory with the bundled model's tokenizer of bytes.
func copyOf(t *testing.T, model string) string {
	t.Helper()
	dir := t.TempDir()
	for _, from := range []string{
		filepath.Join(model, configName),
		filepath.Join(model, "model.safetensors"),
		filepath.Join("..", "..", "models", models.Bundled, tokenizerName),
	} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, filepath.Base(from)), data)
	}
	return dir
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// file puts content into a new file and returns its path.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	write(t, path, []byte(content))
	return path
}

// openSource opens a model's files until the test ends.
func openSource(t *testing.T, path string) source {
	t.Helper()
	again := func() (checkpoint.Source, error) { return checkpoint.Open(path) }
	src, err := again()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return source{src, again}
}
