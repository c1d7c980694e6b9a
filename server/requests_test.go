package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// failed checks an error's form and returns it.
func (r *running) failed(method, path string, body any, status int, headers ...string) failure {
	r.t.Helper()
	got, header, data := r.do(method, path, body, headers...)
	var raw map[string]map[string]any
	if err := json.Unmarshal(data, &raw); err != nil || got != status || len(raw) != 1 || len(raw["error"]) != 4 {
		r.t.Errorf("%s %s %.60v: %d %q, want %d", method, path, body, got, data, status)
	}
	var a answer
	json.Unmarshal(data, &a)
	if a.Error == nil || a.Error.Message == "" || a.Error.Type == "" {
		r.t.Errorf("%s %s %.60v: error %s", method, path, body, data)
		return failure{}
	}
	if header.Get("Content-Type") != "application/json" {
		r.t.Errorf("%s %s: %s", method, path, header.Get("Content-Type"))
	}
	return *a.Error
}

// TestWrongFields: a client's mistake is 400 and says where.
func TestWrongFields(t *testing.T) {
	r := usual(t)
	for _, test := range []struct{ fields, param string }{
		{`"max_tokens": -1`, "max_tokens"}, {`"max_tokens": "4"`, "max_tokens"}, {`"max_tokens": 1.5`, "max_tokens"},
		{`"temperature": "warm"`, "temperature"}, {`"temperature": 2.1`, "temperature"}, {`"temperature": -0.1`, "temperature"},
		{`"top_p": 1.1`, "top_p"}, {`"n": 0`, "n"}, {`"n": 1000`, "n"}, {`"n": 1e999`, "n"}, {`"stop": 3`, "stop"}, {`"stop": [""]`, "stop"},
		{`"stop": ["a", null]`, "stop"}, {`"seed": "x"`, "seed"}, {`"stream": 1`, "stream"}, {`"presence_penalty": 3`, "presence_penalty"},
		{`"frequency_penalty": []`, "frequency_penalty"}, {`"logit_bias": {"x": 1}`, "logit_bias"}, {`"logit_bias": {"7": 101}`, "logit_bias.7"},
		{`"logit_bias": {"257": 1}`, "logit_bias"}, {`"logprobs": 21`, "logprobs"}, {`"logprobs": -1`, "logprobs"}, {`"model": 3`, "model"},
		{`"suffix": "end"`, "suffix"}, {`"stream_options": {"include_usage": true}`, "stream_options"}, {`"echo": "yes"`, "echo"},
		{`"response_format": {"type": "yaml"}`, "response_format.type"}, {`"session": 4`, "session"},
		{`"prompt": 3`, "prompt"}, {`"prompt": ""`, "prompt"}, {`"prompt": []`, "prompt"}, {`"prompt": [257]`, "prompt"}, {`"prompt": [-1]`, "prompt"},
		{`"prompt": ["a", 3]`, "prompt"}, {`"prompt": {"a": 3}`, "prompt"}, {`"prompt": ["a", "b"], "n": 100`, "n"},
	} {
		body := `{"model": "` + bundledName + `", "prompt": "x", ` + test.fields + `}`
		if e := r.failed("POST", "/v1/completions", body, 400); e.Param != test.param || e.Type != "invalid_request_error" {
			t.Errorf("%s: %+v, want param %s", test.fields, e, test.param)
		}
	}
	for _, test := range []struct{ fields, param string }{
		{`"messages": []`, "messages"}, {`"messages": null`, "messages"}, {`"messages": "hi"`, "messages"}, {`"messages": [3]`, "messages"},
		{`"messages": [{"role": "king", "content": "x"}]`, "messages[0].role"}, {`"messages": [{"role": "user"}]`, "messages[0].content"},
		{`"messages": [{"role": "user", "content": 3}]`, "messages[0].content"},
		{`"messages": [{"role": "user", "content": [{"type": "image_url"}]}]`, "messages[0].content[0].type"},
		{`"messages": [{"role": "user", "content": "x"}], "top_logprobs": 2`, "top_logprobs"},
		{`"messages": [{"role": "user", "content": "x"}], "max_completion_tokens": -2`, "max_completion_tokens"},
		{`"messages": [{"role": "user", "content": "x"}], "logprobs": 3`, "logprobs"},
	} {
		if e := r.failed("POST", "/v1/chat/completions", "{"+test.fields+"}", 400); e.Param != test.param {
			t.Errorf("%s: %+v, want param %s", test.fields, e, test.param)
		}
	}
}

// TestWrongBodies: what is no JSON object is 400, also where one is followed by something.
func TestWrongBodies(t *testing.T) {
	r := usual(t)
	for _, body := range []string{"", "{", "[]", "null", "3", `"x"`, `{"prompt": "x"} {"prompt": "y"}`, `{"prompt": "x"} x`, "{\"prompt\": \"\xff\"}",
		`{"prompt": "x",}`, strings.Repeat(`{"a":`, 20000)} {
		r.failed("POST", "/v1/completions", body, 400)
	}
	// Keys in another case are unknown fields, which are as if absent, as is null.
	if e := r.failed("POST", "/v1/chat/completions", `{"Messages": [{"role": "user", "content": "x"}]}`, 400); e.Param != "messages" {
		t.Errorf("%+v", e)
	}
	a := r.ask("/v1/completions", `{"prompt": "x", "MAX_TOKENS": -1, "max_tokens": 2, "stop": null, "top_p": null, "n": null, "seed": null, "logit_bias": null,
		"logprobs": null, "stream": null, "user": null, "presence_penalty": null, "stream_options": null, "suffix": null, "an_unknown_field": 3}`)
	if a.Usage.Completion != 2 || a.Choices[0].Logs != nil {
		t.Errorf("%+v", a)
	}
}

// TestWrongPaths: every error has one form, and tells what is right.
func TestWrongPaths(t *testing.T) {
	r := usual(t)
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/nothing", 404}, {"GET", "/notes", 404}, {"GET", "/v1/notes/x", 404}, {"GET", "/v1/notes", 405}, {"POST", "/v1/nothing", 404}, {"GET", "/v1", 404}, {"GET", "/v1/models/other", 404}, {"GET", "/v1/models/", 404},
		{"GET", "/v1/completions", 405}, {"DELETE", "/v1/models", 405}, {"PUT", "/health", 405}, {"GET", "/v1/sessions/..%2f..%2fetc%2fpasswd", 400},
		{"GET", "/v1/sessions/../models", 404}, {"DELETE", "/v1/sessions/%2e%2e", 400},
	} {
		r.failed(test.method, test.path, nil, test.status)
	}
	_, header, _ := r.do("GET", "/v1/chat/completions", nil)
	if header.Get("Allow") != "OPTIONS, POST" {
		t.Errorf("Allow is %q", header.Get("Allow"))
	}
	if e := r.failed("POST", "/v1/completions", greedy.with(fields{"model": "other", "stream": true}), 404); e.Code != "model_not_found" || e.Param != "model" {
		t.Errorf("%+v", e)
	}
	if e := r.failed("POST", "/v1/completions", fields{"prompt": strings.Repeat("long ", 1000)}, 400); e.Code != "context_length_exceeded" {
		t.Errorf("%+v", e)
	}
	for _, method := range []string{"GET", "HEAD"} {
		for _, path := range []string{"/health", "/ready", "/", "/metrics"} {
			if status, _, data := r.do(method, path, nil); status != 200 || (len(data) == 0) != (method == "HEAD") {
				t.Errorf("%s %s: %d", method, path, status)
			}
		}
	}
}

// raw sends bytes and returns what comes back.
func raw(t *testing.T, r *running, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestOldClient: a client of HTTP/1.0 gets no chunks, and the connection's end is said.
func TestOldClient(t *testing.T) {
	r := usual(t)
	body := `{"prompt": "It was", "max_tokens": 5, "temperature": 0, "stream": true}`
	got := raw(t, r, fmt.Sprintf("POST /v1/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	head, events, _ := strings.Cut(got, "\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/1.0 200") || strings.Contains(strings.ToLower(head), "chunked") || !strings.HasPrefix(events, "data: {") || !strings.HasSuffix(events, "data: [DONE]\n\n") {
		t.Errorf("got %s", got)
	}
}

// TestTooLarge: a body that is too large is refused, and a client that goes on sending gets to read that.
func TestTooLarge(t *testing.T) {
	r := usual(t)
	const size = 8 << 20
	for _, how := range []string{fmt.Sprintf("Content-Length: %d\r\n\r\n", size), "Transfer-Encoding: chunked\r\n\r\n"} {
		c, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(60 * time.Second))
		fmt.Fprintf(c, "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n%s", how)
		block := strings.Repeat("x", 1<<16)
		for range size / len(block) {
			time.Sleep(time.Millisecond)
			text := block
			if strings.HasPrefix(how, "Transfer") {
				text = fmt.Sprintf("%x\r\n%s\r\n", len(block), block)
			}
			if _, err := io.WriteString(c, text); err != nil {
				t.Fatalf("%s: while sending: %v", how, err)
			}
		}
		io.WriteString(c, "0\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		var a answer
		err = json.NewDecoder(resp.Body).Decode(&a)
		if resp.StatusCode != 413 || err != nil || a.Error == nil || !resp.Close {
			t.Errorf("%s: %d, closes %v, %v, %+v", how, resp.StatusCode, resp.Close, err, a.Error)
		}
		c.Close()
	}
}
