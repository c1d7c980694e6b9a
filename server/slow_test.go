package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mmrun/mmrun/server"
)

// TestSlowClients: who does not go on sending is given up, and told so once the request is known; who sends slowly is
// answered.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	r := start(t, server.Options{ReadTimeout: time.Second})
	dial := func(head string) net.Conn {
		c, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(60 * time.Second))
		io.WriteString(c, "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"+head)
		return c
	}
	if got, err := io.ReadAll(dial("")); err != nil || len(got) > 0 {
		t.Errorf("half a head gets %q, %v", got, err)
	}
	in := bufio.NewReader(dial("Content-Length: 100\r\n\r\n{\"prompt\": "))
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || resp.StatusCode != 408 || a.Error == nil || a.Error.Code != "timeout" || !resp.Close {
		t.Errorf("half a body gets %s, closes %v, %v, %+v", resp.Status, resp.Close, err, a.Error)
	}
	if _, err := in.ReadByte(); err != io.EOF {
		t.Errorf("and then %v", err)
	}
	body := `{"prompt": "It was", "max_tokens": 2}`
	c := dial(fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)))
	for i := range body {
		io.WriteString(c, body[i:i+1])
		time.Sleep(40 * time.Millisecond)
	}
	if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != 200 {
		t.Errorf("who sends slowly gets %v, %v", resp, err)
	}
}

// TestOneSession: requests in one session run one after the other, and one that fails or whose client goes away leaves
// it as it was.
func TestOneSession(t *testing.T) {
	r := start(t, server.Options{MaxContext: 2000})
	r.session("POST", "/v1/sessions", fields{"id": "a", "prompt": "It was"}, 201)
	ask := fields{"session": "a", "temperature": 0, "max_tokens": 20}
	resp, in := r.begun(t.Context(), ask.with(fields{"prompt": " a dark", "max_tokens": 150, "stream": true}))
	defer resp.Body.Close()
	second := r.ask("/v1/completions", ask.with(fields{"prompt": " and"})) // while the first runs
	rest, err := io.ReadAll(in)
	if err != nil || !bytes.HasSuffix(rest, []byte("data: [DONE]\n\n")) {
		t.Errorf("the first ends with %v, %.200s", err, rest[max(0, len(rest)-200):])
	}
	if u := second.Usage; u.Prompt != len("It was a dark and")+150 || u.Details.Cached != len("It was a dark")+150 {
		t.Errorf("the second goes on from %+v", u)
	}
	_, _, before := r.do("GET", "/v1/sessions/a", nil)
	ctx, cancel := context.WithCancel(t.Context())
	gone, _ := r.begun(ctx, ask.with(fields{"prompt": " but", "max_tokens": 1 << 20, "stream": true}))
	cancel()
	gone.Body.Close()
	r.failed("POST", "/v1/completions", ask.with(fields{"prompt": prose(4, 3000)}), 400)
	r.failed("POST", "/v1/completions", ask.with(fields{"prompt": []int{1, 999}}), 400)
	if _, _, after := r.do("GET", "/v1/sessions/a", nil); !bytes.Equal(after, before) {
		t.Error("the session is another after requests that came to nothing")
	}
}

// TestChatInSession: a chat in a session goes on from it, parts from it where the messages do, and leaves the state
// under its name.
func TestChatInSession(t *testing.T) {
	r := start(t, server.Options{StateCache: 4 << 20}) // which soon has other states
	r.session("POST", "/v1/sessions", fields{"id": "a"}, 201)
	talk := []fields{{"role": "user", "content": prose(8, 300)}}
	ask := fields{"session": "a", "temperature": 0.7, "seed": 4, "max_tokens": 15, "logprobs": true}
	known := 0
	for turn := range 3 {
		a := r.ask("/v1/chat/completions", ask.with(fields{"messages": talk}))
		want := usual(t).ask("/v1/chat/completions", ask.with(fields{"messages": talk, "session": nil}))
		if said(a.Choices[0]) != said(want.Choices[0]) || a.Usage.Details.Cached < known {
			t.Errorf("turn %d: %s of which %d tokens were known and not %d; without a session %s", turn, said(a.Choices[0]), a.Usage.Details.Cached, known, said(want.Choices[0]))
		}
		known = a.Usage.Prompt
		talk = append(talk, fields{"role": "assistant", "content": a.Choices[0].text()}, fields{"role": "user", "content": "Go on"})
	}
	_, _, list := r.do("GET", "/v1/sessions", nil)
	var all struct{ Data []described }
	if err := json.Unmarshal(list, &all); err != nil || len(all.Data) != 1 || all.Data[0].Tokens < int64(known+15) {
		t.Errorf("%v: %s", err, list)
	}
	r.failed("POST", "/v1/chat/completions", ask.with(fields{"messages": talk, "n": 2}), 400)
	r.failed("POST", "/v1/chat/completions", ask.with(fields{"messages": talk, "session": "none"}), 404)
}
