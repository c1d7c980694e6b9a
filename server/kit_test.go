package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/server"
)

// bundledDir is a trained model of bytes, and bundledName what it is served as.
var bundledDir = filepath.Join("..", "models", bundledName)

const bundledName = "novels-memmamba"

// bundled is the model as a server opens it.
func bundled(name string) server.Model {
	plain, _ := server.BuiltinTemplate(server.Plain)
	return server.Model{Name: name, Template: plain, Open: func() (*mmrun.Model, error) { return mmrun.Open(bundledDir, mmrun.Options{Chunk: 64}) }}
}

// alone is the model without a server, to compare with.
var alone = sync.OnceValues(func() (*mmrun.Model, error) { return mmrun.Open(bundledDir, mmrun.Options{}) })

// A running is a server that listens.
type running struct {
	t      *testing.T
	url    string
	stop   func() // ends it as a signal does
	exited chan error
}

// common is a server that many tests use.
var common *running

// usual returns it.
func usual(t *testing.T) *running {
	t.Helper()
	if common == nil {
		common = begin(t, server.Options{MaxBody: 1 << 20, MaxContext: 4096, MaxConcurrent: 8})
	}
	one := *common
	one.t = t
	return &one
}

func TestMain(m *testing.M) {
	os.Setenv("LP_NUM_THREADS", "0") // Mesa's software device: waking threads takes longer than kernels of so small a model do
	status := m.Run()
	if common != nil {
		common.stop()
		if err := <-common.exited; err != nil {
			fmt.Println("the server ended with", err)
			status = 1
		}
	}
	os.Exit(status)
}

// drain is how long servers of tests wait for what runs.
var drain = 30 * time.Second

// start starts a server, which ends with the test.
func start(t *testing.T, o server.Options) *running {
	t.Helper()
	r := begin(t, o)
	t.Cleanup(r.wait)
	return r
}

// begin starts a server.
func begin(t *testing.T, o server.Options) *running {
	t.Helper()
	if o.Models == nil {
		o.Models = []server.Model{bundled(bundledName)}
	}
	s, err := server.New(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{t: t, url: "http://" + l.Addr().String(), stop: stop, exited: make(chan error, 1)}
	go func() { r.exited <- s.Serve(ctx, narrow{l}, drain) }()
	for range 3000 { // a busy machine takes its time
		if status, _, _ := r.do("GET", "/ready", nil); status == 200 {
			return r
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the server is not ready")
	return nil
}

// narrow is a listener whose connections hold little of what a client does not read.
type narrow struct{ net.Listener }

// Accept implements net.Listener.
func (n narrow) Accept() (net.Conn, error) {
	c, err := n.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		err = errors.Join(err, tcp.SetWriteBuffer(1<<14))
	}
	return c, err
}

// wait ends the server and waits for it.
func (r *running) wait() {
	r.t.Helper()
	r.stop()
	select {
	case err := <-r.exited:
		r.exited <- nil
		if err != nil {
			r.t.Errorf("the server ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		r.t.Fatal("the server does not end")
	}
}

// do sends a request: body is nil, bytes, a text, or what becomes JSON.
func (r *running) do(method, path string, body any, headers ...string) (int, http.Header, []byte) {
	r.t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		in = bytes.NewReader(b)
	case string:
		in = strings.NewReader(b)
	default:
		data, err := json.Marshal(b)
		if err != nil {
			r.t.Fatal(err)
		}
		in = bytes.NewReader(data)
	}
	req, err := http.NewRequest(method, r.url+path, in)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, []byte(err.Error())
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Errorf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, resp.Header, data
}

// fields is a request's body.
type fields map[string]any

// with are the fields with others over them.
func (f fields) with(others fields) fields {
	all := fields{}
	for _, one := range []fields{f, others} {
		for name, value := range one {
			all[name] = value
		}
	}
	return all
}

// An answer is a reply as tests look at it, of completions and chats.
type answer struct {
	ID      string
	Object  string
	Model   string
	Choices []answerChoice
	Usage   *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Total      int `json:"total_tokens"`
		Details    struct {
			Cached int `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
	}
	Error *failure
}

type answerChoice struct {
	Index   int
	Text    string
	Message struct{ Role, Content string }
	Delta   struct {
		Role    string
		Content *string
	}
	Finish *string `json:"finish_reason"`
	Logs   *struct {
		Tokens  []string
		Logs    []*json.Number           `json:"token_logprobs"`
		Top     []map[string]json.Number `json:"top_logprobs"`
		Offsets []int                    `json:"text_offset"`
		Content []struct {
			Token string
			Log   json.Number `json:"logprob"`
			Bytes []int
			Top   []struct {
				Token string
				Log   json.Number `json:"logprob"`
			} `json:"top_logprobs"`
		}
	} `json:"logprobs"`
}

type failure struct{ Message, Type, Param, Code string }

// text is what a choice says, in whatever form it came.
func (c answerChoice) text() string {
	if c.Delta.Content != nil {
		return *c.Delta.Content
	}
	return c.Text + c.Message.Content
}

// ask posts a request that has to be answered.
func (r *running) ask(path string, body any) answer {
	r.t.Helper()
	status, _, data := r.do("POST", path, body)
	var a answer
	if err := json.Unmarshal(data, &a); err != nil || status != 200 {
		r.t.Fatalf("POST %s: %d, %v: %s", path, status, err, data)
	}
	return a
}

// text is the only answer to a completion.
func (r *running) text(body any) string {
	r.t.Helper()
	return r.ask("/v1/completions", body).Choices[0].Text
}

// stream posts a request for a stream, and returns its events and whether its end was said.
func (r *running) stream(path string, body fields) (events []answer, done bool) {
	r.t.Helper()
	status, header, data := r.do("POST", path, body.with(fields{"stream": true}))
	if status != 200 || !strings.HasPrefix(header.Get("Content-Type"), "text/event-stream") {
		r.t.Fatalf("POST %s: %d %s: %s", path, status, header.Get("Content-Type"), data)
	}
	for _, block := range strings.Split(strings.TrimSuffix(string(data), "\n\n"), "\n\n") {
		line, ok := strings.CutPrefix(block, "data: ")
		if !ok || done {
			r.t.Errorf("an event is %q", block)
		}
		if line == "[DONE]" {
			done = true
			continue
		}
		var a answer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			r.t.Errorf("event %q: %v", line, err)
		}
		events = append(events, a)
	}
	return events, done
}

// joined is what a stream says in one of its choices, and how it ends.
func joined(events []answer, index int) (text, finish string) {
	for _, e := range events {
		for _, c := range e.Choices {
			if c.Index == index {
				text += c.text()
				if c.Finish != nil {
					finish = *c.Finish
				}
			}
		}
	}
	return text, finish
}
