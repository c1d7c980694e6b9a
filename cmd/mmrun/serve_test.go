package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A served is a running mmrun serve.
type served struct {
	url    string
	cmd    *exec.Cmd
	stderr *strings.Builder
}

// serve starts a server of the bundled model and waits until it is ready.
func serve(t *testing.T, args ...string) *served {
	t.Helper()
	cmd, out, stderr := start(t, append([]string{"serve", "--quiet", "--listen", "127.0.0.1:0"}, args...)...)
	s := &served{cmd: cmd, stderr: stderr}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if _, s.url, _ = strings.Cut(strings.TrimSpace(line), " at "); err != nil || s.url == "" {
		t.Fatalf("it prints %q, %v: %s", line, err, stderr)
	}
	untilReady(t, s.url)
	return s
}

// untilReady waits until a server can answer.
func untilReady(t *testing.T, url string) {
	t.Helper()
	for range 1200 {
		if resp, err := http.Get(url + "/ready"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s is not ready", url)
}

// post sends a request.
func post(t *testing.T, url string, body map[string]any) (*http.Response, error) {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return http.Post(url, "application/json", bytes.NewReader(data))
}

// streaming begins an answer and waits for its first piece.
func streaming(t *testing.T, url string, tokens int) *bufio.Reader {
	t.Helper()
	resp, err := post(t, url+"/v1/completions", map[string]any{"prompt": "It was", "max_tokens": tokens, "temperature": 0, "stream": true})
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	in := bufio.NewReader(resp.Body)
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "data: {") {
		t.Fatalf("a stream begins with %q, %v", line, err)
	}
	return in
}

// TestServeDrains: after SIGTERM an answer is finished, nobody new is answered, and the program ends well.
func TestServeDrains(t *testing.T) {
	s := serve(t)
	in := streaming(t, s.url, 300)
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for tries := 0; ; tries++ {
		resp, err := post(t, s.url+"/v1/completions", map[string]any{"prompt": "x", "max_tokens": 1})
		if err != nil {
			break // no connection
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "" {
			break
		}
		if tries == 200 {
			t.Fatalf("a new request is answered with %s", resp.Status)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if rest, err := io.ReadAll(in); err != nil || !strings.HasSuffix(string(rest), "data: [DONE]\n\n") {
		t.Errorf("%v: the stream ends with %.200s", err, rest[max(0, len(rest)-200):])
	}
	if err := s.cmd.Wait(); err != nil || s.stderr.String() != "" {
		t.Errorf("%v, %q", err, s.stderr)
	}
}

// TestServeSignalledTwice: a second signal ends the program at once.
func TestServeSignalledTwice(t *testing.T) {
	s := serve(t)
	in := streaming(t, s.url, 1<<19)
	for range 2 {
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
	}
	if _, err := io.ReadAll(in); err == nil {
		t.Error("the stream ends as if it were whole")
	}
	var ended *exec.ExitError
	if err := s.cmd.Wait(); !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("it ends with %v", err)
	}
}

// TestServeRefuses: a port that is taken and a store that is none are one line each.
func TestServeRefuses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	wantError(t, execute(t, "", "serve", "--listen", l.Addr().String()), exitFailure, "address already in use")
	wantError(t, execute(t, "", "serve", "--listen", "127.0.0.1:0", "--state-store", "ftp://user:secret@x"), exitFailure, `--state-store: store ftp://user:xxxxx@x: "ftp" is none of redis`)
	wantError(t, execute(t, "", "serve", "--listen", "127.0.0.1:0", "--state-ttl", "-1h"), exitUsage, "--state-ttl: -1h0m0s is not above 0")
	if _, err := os.Stat("states"); err == nil {
		t.Error("a folder was made")
	}
}
