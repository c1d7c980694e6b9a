package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/server"
)

// said is all that an answer is: text, log-probabilities, and how it ended.
func said(c answerChoice) string {
	text := c.text() + "|" + *c.Finish
	if c.Logs != nil {
		text += fmt.Sprint(c.Logs.Tokens, values(c.Logs.Logs), c.Logs.Top)
		for _, t := range c.Logs.Content {
			text += fmt.Sprint(t)
		}
	}
	return text
}

// prose is a text of the given number of bytes.
func prose(seed uint64, n int) string {
	words := strings.Fields("it was a dark and stormy night when the old captain came down to harbour with nothing but letters")
	r, text := rand.New(rand.NewPCG(seed, 1)), strings.Builder{}
	for text.Len() < n {
		text.WriteString(words[r.IntN(len(words))] + " ")
	}
	return text.String()[:n]
}

// TestPrefixes: a prompt that begins as another did is computed from where they part, and the answer is the one
// without a cache to the bit; also when states had to go, and went to the disk and through a restart.
func TestPrefixes(t *testing.T) {
	none := start(t, server.Options{StateCache: -1})
	dir := t.TempDir()
	o := server.Options{StateCache: 3 << 20, StateDir: dir}
	some := start(t, o)
	long := prose(1, 1300)
	ask := fields{"max_tokens": 8, "temperature": 0.9, "seed": 3, "logprobs": 2}
	check := func(r *running, prompt string, least, most int) {
		t.Helper()
		want := none.ask("/v1/completions", ask.with(fields{"prompt": prompt}))
		got := r.ask("/v1/completions", ask.with(fields{"prompt": prompt}))
		if said(got.Choices[0]) != said(want.Choices[0]) {
			t.Errorf("with states kept %s, without %s", said(got.Choices[0]), said(want.Choices[0]))
		}
		if c := got.Usage.Details.Cached; c < least || c > most || want.Usage.Details.Cached != 0 {
			t.Errorf("%d of %d tokens were not computed, want %d to %d", c, len(prompt), least, most)
		}
	}
	check(some, long, 0, 0)
	check(some, long, 1300, 1300)
	check(some, long+" and so", 1300, 1300)
	check(some, long[:1200]+"but not", 1024, 1024)
	check(some, long[:700], 512, 512)
	check(some, long[:513], 512, 512)
	for seed := range uint64(4) { // which do not all fit
		check(some, prose(10+seed, 600), 0, 0)
	}
	check(some, long, 1300, 1300) // by way of the disk
	some.wait()
	again := start(t, o)
	check(again, long[:1250]+"not so", 1024, 1024)
	check(again, prose(12, 600), 600, 600)
}

// TestTurns: what is new in a turn of a conversation is all that is computed, and a conversation that parts from
// another goes on from the message before.
func TestTurns(t *testing.T) {
	r := start(t, server.Options{})
	talk := []fields{{"role": "system", "content": prose(3, 200)}, {"role": "user", "content": "Who goes there?"}}
	body := fields{"max_tokens": 12, "temperature": 0.7, "seed": 5}
	known := 0
	for turn := range 4 {
		a := r.ask("/v1/chat/completions", body.with(fields{"messages": talk}))
		if c := a.Usage.Details.Cached; c < known {
			t.Errorf("turn %d: %d of %d tokens were known, not %d", turn, c, a.Usage.Prompt, known)
		}
		known = a.Usage.Prompt + a.Usage.Completion
		talk = append(talk, fields{"role": "assistant", "content": a.Choices[0].text()}, fields{"role": "user", "content": fmt.Sprint("Go on, ", turn)})
		if strings.Contains(a.Choices[0].text(), "\uFFFD") {
			known = a.Usage.Prompt
		}
	}
	other := append(talk[:3:3], fields{"role": "user", "content": "But why?"})
	a := r.ask("/v1/chat/completions", body.with(fields{"messages": other}))
	upTo := 0
	for _, m := range talk[:3] {
		upTo += len(m["role"].(string) + ": " + m["content"].(string) + "\n")
	}
	if a.Usage.Details.Cached != upTo {
		t.Errorf("a conversation that parts after %d tokens was known for %d", upTo, a.Usage.Details.Cached)
	}
}

// described is a session as the server tells of it.
type described struct {
	ID, Object, Model            string
	Tokens, Bytes, Created, Used int64
}

func (r *running) session(method, path string, body any, status int) (d described) {
	r.t.Helper()
	got, _, data := r.do(method, path, body)
	if err := json.Unmarshal(data, &d); got != status || err != nil {
		r.t.Fatalf("%s %s: %d %s, want %d", method, path, got, data, status)
	}
	return d
}

// TestSessions: a session goes on as the whole text would, forks, moves to another server and to mmrun's own
// sessions, and back.
func TestSessions(t *testing.T) {
	r := start(t, server.Options{StateDir: t.TempDir()})
	d := r.session("POST", "/v1/sessions", fields{"id": "tale.1", "prompt": "It was"}, 201)
	if d.ID != "tale.1" || d.Object != "session" || d.Model != bundledName || d.Tokens != 6 || d.Bytes == 0 || d.Created == 0 || d.Used < d.Created {
		t.Errorf("%+v", d)
	}
	ask := fields{"session": "tale.1", "prompt": " a dark", "max_tokens": 10, "temperature": 0.8, "seed": 2, "logprobs": 1}
	one := r.ask("/v1/completions", ask)
	whole := r.ask("/v1/completions", ask.with(fields{"session": nil, "prompt": "It was a dark"}))
	if said(one.Choices[0]) != said(whole.Choices[0]) || one.Usage.Prompt != 13 || one.Usage.Details.Cached != 6 {
		t.Errorf("in a session %s, %+v, else %s", said(one.Choices[0]), one.Usage, said(whole.Choices[0]))
	}
	text := "It was a dark" + whole.Choices[0].Text
	r.session("POST", "/v1/sessions/tale.1/fork", fields{"id": "fork"}, 201)
	next := r.ask("/v1/completions", ask.with(fields{"session": "fork", "prompt": " night", "stop": " "}))
	wanted := r.ask("/v1/completions", ask.with(fields{"session": nil, "prompt": bytesOf(text + " night"), "stop": " "}))
	if said(next.Choices[0]) != said(wanted.Choices[0]) {
		t.Errorf("a fork goes on with %s, the whole text with %s", said(next.Choices[0]), said(wanted.Choices[0]))
	}
	// After a stop string the session has what the client sees.
	text += " night" + next.Choices[0].text()
	if d := r.session("POST", "/v1/sessions/fork/fork", nil, 201); d.Tokens != int64(len(text)) {
		t.Errorf("%d tokens after %q", d.Tokens, text)
	}
	_, header, saved := r.do("GET", "/v1/sessions/fork", nil)
	if header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%v", header)
	}
	if got, want := goOn(t, saved), write(t, text, mmrun.GenerateOptions{MaxTokens: 8}); got != want {
		t.Errorf("the file goes on with %q, not %q", got, want)
	}
	other := start(t, server.Options{})
	if d := other.session("PUT", "/v1/sessions/moved", saved, 201); d.Tokens != int64(len(text)) || d.Bytes != int64(len(saved)) {
		t.Errorf("moved: %+v", d)
	}
	if got, want := other.text(fields{"session": "moved", "prompt": "", "max_tokens": 8, "temperature": 0}), goOn(t, saved); got != want {
		t.Errorf("elsewhere it goes on with %q, not %q", got, want)
	}
	r.session("PUT", "/v1/sessions/tale.1", saved, 200)
	if _, _, again := r.do("GET", "/v1/sessions/tale.1", nil); !bytes.Equal(again, saved) {
		t.Error("a session that was put is other bytes")
	}
	sessionErrors(t, r, saved)
}

// goOn is what a saved state writes in a session of the library.
func goOn(t *testing.T, data []byte) string {
	t.Helper()
	m, err := alone()
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	text := ""
	for piece, err := range s.Generate(context.Background(), "", mmrun.GenerateOptions{MaxTokens: 8}) {
		if err != nil {
			t.Fatal(err)
		}
		text += piece
	}
	return text
}

// sessionErrors tries what has to be refused, and changes nothing.
func sessionErrors(t *testing.T, r *running, saved []byte) {
	_, _, before := r.do("GET", "/v1/sessions", nil)
	broken := bytes.Clone(saved)
	broken[len(broken)/2] ^= 1
	for _, test := range []struct {
		method, path string
		body         any
		status       int
	}{
		{"POST", "/v1/sessions", fields{"id": "fork"}, 409}, {"POST", "/v1/sessions", fields{"id": "../up"}, 400}, {"POST", "/v1/sessions", fields{"id": ".x"}, 400},
		{"POST", "/v1/sessions", fields{"id": strings.Repeat("x", 65)}, 400}, {"POST", "/v1/sessions", fields{"id": 3}, 400}, {"POST", "/v1/sessions", fields{"model": "other"}, 404},
		{"PUT", "/v1/sessions/fork", broken, 400}, {"PUT", "/v1/sessions/fork", saved[:100], 400}, {"PUT", "/v1/sessions/new", "", 400},
		{"PUT", "/v1/sessions/new", make([]byte, 17<<20), 413}, {"GET", "/v1/sessions/none", nil, 404}, {"DELETE", "/v1/sessions/none", nil, 404},
		{"POST", "/v1/sessions/none/fork", fields{"id": "x"}, 404}, {"POST", "/v1/sessions/fork/fork", fields{"id": "tale.1"}, 409},
		{"POST", "/v1/completions", fields{"session": "none", "prompt": "x"}, 404}, {"POST", "/v1/completions", fields{"session": "../x", "prompt": "x"}, 400},
		{"POST", "/v1/completions", fields{"session": "fork", "prompt": "x", "n": 2}, 400}, {"POST", "/v1/completions", fields{"session": "fork", "prompt": []string{"x", "y"}}, 400},
	} {
		r.failed(test.method, test.path, test.body, test.status)
	}
	if _, _, after := r.do("GET", "/v1/sessions", nil); !bytes.Equal(after, before) {
		t.Errorf("before %s, after %s", before, after)
	}
	if status, _, data := r.do("DELETE", "/v1/sessions/fork", nil); status != 204 || len(data) != 0 {
		t.Errorf("DELETE: %d %s", status, data)
	}
	r.failed("DELETE", "/v1/sessions/fork", nil, 404)
	r.failed("GET", "/v1/sessions/fork", nil, 404)
}

// TestSessionsFull: sessions in memory are not lost to the cache's bound; a new one beyond it is refused.
func TestSessionsFull(t *testing.T) {
	r := start(t, server.Options{StateCache: 2 << 20})
	created := 0
	for ; created < 20; created++ {
		if status, _, _ := r.do("POST", "/v1/sessions", fields{"id": fmt.Sprint("s", created), "prompt": "It was"}); status != 201 {
			break
		}
	}
	if created == 0 || created == 20 {
		t.Fatalf("%d sessions fit", created)
	}
	if e := r.failed("POST", "/v1/sessions", fields{"id": "more", "prompt": "It was"}, 507); e.Code != "sessions_full" {
		t.Errorf("%+v", e)
	}
	r.text(fields{"session": "s0", "prompt": " a", "max_tokens": 3})
	for i := range created {
		if status, _, _ := r.do("GET", fmt.Sprint("/v1/sessions/s", i), nil); status != 200 {
			t.Errorf("session %d is lost", i)
		}
	}
	if status, _, _ := r.do("DELETE", "/v1/sessions/s0", nil); status != 204 {
		t.Error("not deleted")
	}
	r.session("POST", "/v1/sessions", fields{"id": "more", "prompt": "It was"}, 201)
}
