package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"time"
)

// answerTokens are those of an answer in the conversation.
const answerTokens = 100

// A message is one of a conversation.
type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// A conversation grows, turn by turn.
type conversation struct {
	*options
	out      io.Writer
	client   *http.Client
	random   *rand.Rand
	messages []message
	known    int // tokens, with the last answer
	prompt   int // tokens of the last prompt
	whole    bool
}

// session is the conversation's name at a server.
const session = "load"

// converse has a conversation with a server, then goes on with it after a restart, in another server, and in one that
// keeps nothing: only what is new is read, and all answer the same.
func converse(ctx context.Context, o *options, out io.Writer) error {
	dir, err := os.MkdirTemp("", "load")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c := &conversation{options: o, out: out, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, random: rand.New(rand.NewPCG(o.seed, 2))}
	p, err := c.start(ctx, "--state-dir", dir)
	if err != nil {
		return err
	}
	saved, err := c.turns(ctx, p)
	if err := errors.Join(err, p.stop()); err != nil {
		return err
	}
	c.messages = append(c.messages, c.say())
	last := map[string]*answer{}
	for _, place := range []struct {
		name  string
		put   bool
		flags []string
	}{
		{"after a restart", false, []string{"--state-dir", dir}},
		{"moved to another", true, nil},
		{"nothing known", false, []string{"--state-cache", "0"}},
	} {
		if last[place.name], err = c.elsewhere(ctx, place.name, saved, place.put, place.flags...); err != nil {
			return fmt.Errorf("%s: %w", place.name, err)
		}
	}
	want := last["nothing known"]
	for name, a := range last {
		if a.text != want.text {
			err = errors.Join(err, fmt.Errorf("%s the answer is %q, to one who reads all %q", name, a.text, want.text))
		}
		if a != want {
			err = errors.Join(err, c.onlyNew(name, a))
		}
	}
	return err
}

// start starts a server and has it compile what it needs.
func (c *conversation) start(ctx context.Context, flags ...string) (*process, error) {
	p, err := start(ctx, c.options, flags...)
	if err != nil {
		return nil, err
	}
	for _, words := range []int{1, 20, c.turn / 4} {
		a := &answer{}
		body := map[string]any{"messages": []message{{"user", strings.Repeat("warm ", words)}}, "max_tokens": 2, "stream": true}
		if err := a.stream(ctx, c.client, p.url+"/v1/chat/completions", body, func(int) bool { return true }); err != nil {
			return nil, errors.Join(err, p.stop())
		}
	}
	return p, nil
}

// turns has the conversation, and returns the saved session at its end.
func (c *conversation) turns(ctx context.Context, p *process) ([]byte, error) {
	if _, err := c.send(ctx, http.MethodPost, p.url, "", []byte(`{"id": "`+session+`"}`)); err != nil {
		return nil, err
	}
	fmt.Fprintf(c.out, "\nA conversation of %d turns\n\n%16s  %8s  %8s  %8s\n", c.options.turns, "turn", "prompt", "computed", "first ms")
	var first []time.Duration
	for turn := range c.options.turns {
		c.messages = append(c.messages, c.say())
		a, err := c.ask(ctx, p, fmt.Sprint(turn+1), session)
		if err != nil {
			return nil, err
		}
		if turn > 0 {
			if err := c.onlyNew(fmt.Sprintf("turn %d", turn+1), a); err != nil {
				return nil, err
			}
		}
		first = append(first, a.first)
		c.messages = append(c.messages, message{"assistant", a.text})
		c.prompt, c.known, c.whole = a.prompt, a.prompt+a.tokens, a.finish == "length" && !strings.Contains(a.text, "\ufffd")
	}
	n := len(first)
	early, late := first[1], first[n-1]
	some := max(1, min(5, (n-1)/2))
	fmt.Fprintf(c.out, "\nfirst token of turn %d by that of turn 2: %.2f; medians of the last and the first %d after turn 1: %.2f\n\n",
		n, ms(late)/ms(early), some, ms(quantile(first[n-some:], 0.5))/ms(quantile(first[1:1+some], 0.5)))
	return c.send(ctx, http.MethodGet, p.url, session, nil)
}

// say is what the user says next: words, as many tokens as a turn leaves for them.
func (c *conversation) say() message {
	words := strings.Fields("the old house stood by a river and nobody had lived in it since that winter when all of them left without a word")
	var text strings.Builder
	for text.Len() < c.turn-answerTokens-20 { // a token of the bundled models is a byte; others have fewer
		text.WriteString(words[c.random.IntN(len(words))])
		text.WriteByte(' ')
	}
	return message{"user", text.String() + "?"}
}

// ask asks for the next answer.
func (c *conversation) ask(ctx context.Context, p *process, name, session string) (*answer, error) {
	body := map[string]any{"messages": c.messages, "max_tokens": answerTokens, "temperature": 0, "stream": true, "stream_options": map[string]bool{"include_usage": true}}
	if session != "" {
		body["session"] = session
	}
	a := &answer{}
	err := a.stream(ctx, c.client, p.url+"/v1/chat/completions", body, func(int) bool { return true })
	if err == nil {
		fmt.Fprintf(c.out, "%16s  %8d  %8d  %8.0f\n", name, a.prompt, a.prompt-a.cached, ms(a.first))
	}
	return a, err
}

// onlyNew says if more was computed than what is new since the last answer. An answer whose text may not give its
// tokens is read again.
func (c *conversation) onlyNew(name string, a *answer) error {
	computed, fresh := a.prompt-a.cached, a.prompt-c.known
	if !c.whole {
		fresh = a.prompt - c.prompt
	}
	if computed > fresh || computed < 1 {
		return fmt.Errorf("%s: %d of %d tokens were computed, %d are new", name, computed, a.prompt, fresh)
	}
	return nil
}

// elsewhere asks the last question of a server of its own, with the session there, brought to it, or none.
func (c *conversation) elsewhere(ctx context.Context, name string, saved []byte, put bool, flags ...string) (*answer, error) {
	p, err := c.start(ctx, flags...)
	if err != nil {
		return nil, err
	}
	as := ""
	if put {
		as = session
		_, err = c.send(ctx, http.MethodPut, p.url, session, saved)
	}
	var a *answer
	if err == nil {
		a, err = c.ask(ctx, p, name, as)
	}
	return a, errors.Join(err, p.stop())
}

// send makes, gets or puts a session.
func (c *conversation) send(ctx context.Context, method, url, id string, data []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(url+"/v1/sessions/"+id, "/"), bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	resp, err := c.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode >= 300 {
		err = errors.Join(err, fmt.Errorf("%s of a session: %s %s", method, resp.Status, body))
	}
	return body, err
}
