package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/server"
)

// endless is a request for more tokens than a test waits for.
var endless = greedy.with(fields{"max_tokens": 1 << 20, "stream": true, "logprobs": 20})

// open sends a request and returns once its answer has begun.
func (r *running) open(ctx context.Context, body fields) (*http.Response, error) {
	r.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, "POST", r.url+"/v1/completions", bytes.NewReader(data))
	if err != nil {
		r.t.Fatal(err)
	}
	return http.DefaultClient.Do(req)
}

// begun is a stream that runs.
func (r *running) begun(ctx context.Context, body fields) (*http.Response, *bufio.Reader) {
	r.t.Helper()
	resp, err := r.open(ctx, body)
	if err != nil || resp.StatusCode != 200 {
		r.t.Fatal(resp, err)
	}
	in := bufio.NewReader(resp.Body)
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "data: {") {
		r.t.Fatalf("a stream begins with %q, %v", line, err)
	}
	return resp, in
}

// TestDrain: a server that is to end finishes what runs, refuses what is new, and says so.
func TestDrain(t *testing.T) {
	r := start(t, server.Options{})
	resp, in := r.begun(t.Context(), greedy.with(fields{"stream": true, "max_tokens": 150}))
	defer resp.Body.Close()
	r.stop()
	for range 200 {
		if status, _, _ := r.do("GET", "/ready", nil); status != 200 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if status, header, data := r.do("POST", "/v1/completions", greedy); status != 0 && (status != 503 || header.Get("Retry-After") == "" || !bytes.Contains(data, []byte(`"error"`))) {
		t.Errorf("a new request gets %d, %v, %s", status, header, data)
	}
	rest, err := io.ReadAll(in)
	if err != nil || !bytes.HasSuffix(rest, []byte("data: [DONE]\n\n")) {
		t.Errorf("%v: the stream ends with %.200s", err, rest[max(0, len(rest)-200):])
	}
	r.wait()
}

// TestDrainEnds: what is not finished in time ends with an error that is told.
func TestDrainEnds(t *testing.T) {
	drain = 100 * time.Millisecond
	defer func() { drain = 30 * time.Second }()
	r := start(t, server.Options{})
	resp, in := r.begun(t.Context(), endless)
	defer resp.Body.Close()
	r.stop()
	rest, err := io.ReadAll(in)
	if err != nil || bytes.Contains(rest, []byte("[DONE]")) || !bytes.Contains(rest, []byte(`data: {"error":{"message":"the server is shutting down"`)) {
		t.Errorf("%v: the stream ends with %.300s", err, rest[max(0, len(rest)-300):])
	}
	r.wait()
}

// TestCrowd: beyond the places and the queue there is 429; a client that goes away frees its place, and one that does
// not read holds up nobody and is given up.
func TestCrowd(t *testing.T) {
	r := start(t, server.Options{MaxConcurrent: 1, MaxQueue: 1, WriteTimeout: time.Second})
	ctx, cancel := context.WithCancel(t.Context())
	resp, _ := r.begun(ctx, endless)
	defer resp.Body.Close()
	waits := make(chan string, 1)
	go func() { waits <- r.text(greedy) }()
	for range 400 {
		if _, _, data := r.do("GET", "/metrics", nil); bytes.Contains(data, []byte("mmrun_queue_length 1\n")) {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	status, header, data := r.do("POST", "/v1/completions", greedy)
	if status != 429 || header.Get("Retry-After") == "" || !bytes.Contains(data, []byte("rate_limit")) {
		t.Errorf("one too many gets %d, %v, %s", status, header, data)
	}
	cancel()
	want := usual(t).text(greedy)
	if got := <-waits; got != want {
		t.Errorf("who waited gets %q, not %q", got, want)
	}

	c, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.(*net.TCPConn).SetReadBuffer(4096)
	body, _ := json.Marshal(endless)
	fmt.Fprintf(c, "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	time.Sleep(200 * time.Millisecond)
	if got := r.text(greedy); got != want { // it waits until that client is given up
		t.Errorf("beside a client that does not read: %q", got)
	}
}

// TestDeviceLost: what runs ends with an error, the model is opened again, sessions and kept states go on.
func TestDeviceLost(t *testing.T) {
	var lost atomic.Bool
	var opened atomic.Int64
	m := bundled(bundledName)
	open := m.Open
	m.Open = func() (*mmrun.Model, error) {
		opened.Add(1)
		return open()
	}
	o := server.Options{Models: []server.Model{m}}.WithFault(func() error {
		if lost.Load() {
			return fmt.Errorf("wait: %w", mmrun.ErrDeviceLost)
		}
		return nil
	})
	r := start(t, o)
	r.session("POST", "/v1/sessions", fields{"id": "a", "prompt": "It was a dark"}, 201)
	resp, in := r.begun(t.Context(), endless)
	defer resp.Body.Close()
	lost.Store(true)
	rest, err := io.ReadAll(in)
	if err != nil || bytes.Contains(rest, []byte("[DONE]")) || !bytes.Contains(rest, []byte(`data: {"error":{"message":"the device was lost`)) {
		t.Errorf("%v: the stream ends with %.300s", err, rest[max(0, len(rest)-300):])
	}
	lost.Store(false)
	a := r.ask("/v1/completions", fields{"session": "a", "prompt": " night", "max_tokens": 40, "temperature": 0})
	if got, want := a.Choices[0].Text, usual(t).text(greedy); got != want || opened.Load() != 2 {
		t.Errorf("the session goes on with %q, not %q; the model was opened %d times", got, want, opened.Load())
	}
}

// TestPanic: it is an error as others are, and the server goes on.
func TestPanic(t *testing.T) {
	var broken atomic.Bool
	r := start(t, server.Options{}.WithFault(func() error {
		if broken.Load() {
			panic("here")
		}
		return nil
	}))
	resp, in := r.begun(t.Context(), endless)
	defer resp.Body.Close()
	broken.Store(true)
	rest, _ := io.ReadAll(in)
	if bytes.Contains(rest, []byte("[DONE]")) || !bytes.Contains(rest, []byte(`data: {"error":{"message":"internal error"`)) {
		t.Errorf("the stream ends with %.300s", rest[max(0, len(rest)-300):])
	}
	r.failed("POST", "/v1/completions", greedy, 500)
	broken.Store(false)
	r.text(greedy)
}

// TestRoom: when memory is short, the model that has been idle for longest is closed.
func TestRoom(t *testing.T) {
	var mu sync.Mutex
	var names []string // of open models
	one := func(name string) server.Model {
		m := bundled(name)
		open := m.Open
		m.Open = func() (*mmrun.Model, error) {
			mu.Lock()
			defer mu.Unlock()
			if len(names) > 0 {
				names = nil
				return nil, fmt.Errorf("no room: %w", mmrun.ErrOutOfMemory)
			}
			names = append(names, name)
			return open()
		}
		return m
	}
	r := start(t, server.Options{Models: []server.Model{one("a"), one("b")}})
	r.failed("POST", "/v1/completions", greedy, 400) // which of them
	for _, name := range []string{"b", "a"} {
		r.text(greedy.with(fields{"model": name}))
		_, _, data := r.do("GET", "/v1/models", nil)
		var all struct {
			Data []struct {
				ID       string
				Open     bool
				Template string `json:"chat_template"`
			}
		}
		if err := json.Unmarshal(data, &all); err != nil || len(all.Data) != 2 {
			t.Fatalf("%s: %v", data, err)
		}
		for _, m := range all.Data {
			if m.Open != (m.ID == name) || m.Template != "plain" {
				t.Errorf("after a request for %s: %s", name, data)
			}
		}
	}
}

// TestGuards: keys, names of the host, origins; and nothing that a client wrote in metrics or log.
func TestGuards(t *testing.T) {
	var log bytes.Buffer
	var mu sync.Mutex
	o := server.Options{Keys: []string{"right", "other"}, Loopback: true, AllowOrigin: "http://page", Log: slog.New(slog.NewTextHandler(locked{&mu, &log}, nil))}
	s := start(t, o)
	for _, test := range []struct {
		method, path string
		status       int
		headers      []string
	}{
		{"GET", "/v1/models", 401, nil}, {"GET", "/v1/models", 401, []string{"Authorization", "Bearer wrong"}}, {"GET", "/v1/models", 401, []string{"Authorization", "right"}},
		{"GET", "/v1/models", 200, []string{"Authorization", "Bearer right"}}, {"GET", "/v1/models", 200, []string{"Authorization", "bearer other"}},
		{"POST", "/tokenize", 401, nil}, {"POST", "/detokenize", 401, nil}, {"POST", "/v1/completions", 401, nil}, {"GET", "/v1/sessions", 401, nil},
		{"GET", "/health", 200, nil}, {"GET", "/ready", 200, nil}, {"GET", "/metrics", 200, nil}, {"GET", "/", 200, nil},
	} {
		status, header, _ := s.do(test.method, test.path, nil, test.headers...)
		if status != test.status || header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s %s %v: %d %v", test.method, test.path, test.headers, status, header)
		}
	}
	for host, status := range map[string]string{"evil.example": "403", "127.0.0.1.evil.example:80": "403", "localhost:1": "200", "127.0.0.1": "200", "[::1]:80": "200", "LOCALHOST": "200"} {
		if got := raw(t, s, "GET /health HTTP/1.1\r\nConnection: close\r\nHost: "+host+"\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 "+status) {
			t.Errorf("%s: %.60s", host, got)
		}
	}
	status, header, _ := s.do("OPTIONS", "/v1/completions", nil, "Origin", "http://page", "Access-Control-Request-Method", "POST")
	if status != 204 || header.Get("Access-Control-Allow-Origin") != "http://page" || header.Get("Access-Control-Allow-Headers") != "Authorization, *" || header.Get("Access-Control-Expose-Headers") != "Retry-After" {
		t.Errorf("a page that may ask: %d %v", status, header)
	}
	key := []string{"Authorization", "Bearer right"}
	s.do("POST", "/v1/completions", fields{"prompt": "a-secret", "max_tokens": 2, "user": "a-secret"}, key...)
	s.do("POST", "/v1/completions", fields{"prompt": fields{"a-secret": 1}}, key...)
	s.do("POST", "/v1/a-secret", nil, key...)
	_, _, metrics := s.do("GET", "/metrics", nil)
	for _, want := range []string{`mmrun_requests_total{code="200",endpoint="/v1/completions"} 1`, `mmrun_requests_total{code="404",endpoint="other"} 1`,
		"mmrun_prompt_tokens_total 8", "mmrun_cached_tokens_total 0", "mmrun_generated_tokens_total 2", "mmrun_queue_length 0", "mmrun_batch_size 0",
		"mmrun_time_to_first_token_seconds_count 1", "mmrun_time_between_tokens_seconds_count 1", "mmrun_longest_wait_seconds", "mmrun_state_cache_bytes", "mmrun_state_cache_hits_total 0", "mmrun_device_memory_bytes"} {
		if !strings.Contains(string(metrics), "\n"+want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if strings.Contains(string(metrics), "secret") || strings.Contains(strings.ReplaceAll(log.String(), "/v1/a-secret", ""), "secret") {
		t.Errorf("a client's text is in the metrics or in the log:\n%s", log.String())
	}
	if !strings.Contains(log.String(), "generated=2") {
		t.Errorf("the log has no line of a request:\n%s", log.String())
	}
}

// locked is a writer for several goroutines.
type locked struct {
	mu *sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (l locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// TestNoModel: a server whose first model cannot be opened ends with the reason.
func TestNoModel(t *testing.T) {
	plain, _ := server.BuiltinTemplate(server.Plain)
	why := errors.New("no such model")
	s, err := server.New(server.Options{Models: []server.Model{{Name: "x", Template: plain, Open: func() (*mmrun.Model, error) { return nil, why }}}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(t.Context(), l, drain); !errors.Is(err, why) {
		t.Errorf("it ends with %v", err)
	}
}
