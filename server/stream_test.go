package server_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestStop: a text ends before the first stop string, wherever tokens cut it, and in a stream nothing of it comes and
// nothing that only might have been one is lost.
func TestStop(t *testing.T) {
	r := usual(t)
	text := r.text(greedy)
	for at := 2; at < 20; at += 3 {
		for _, n := range []int{2, 5, 9} {
			stop := text[at : at+n]
			want := text[:strings.Index(text, stop)]
			a := r.ask("/v1/completions", greedy.with(fields{"stop": []string{stop}}))
			if c := a.Choices[0]; c.Text != want || *c.Finish != "stop" {
				t.Errorf("stop %q: %q, %s", stop, c.Text, *c.Finish)
			}
			events, done := r.stream("/v1/completions", greedy.with(fields{"stop": stop}))
			if got, finish := joined(events, 0); got != want || finish != "stop" || !done {
				t.Errorf("a stream with stop %q: %q, %s, %v", stop, got, finish, done)
			}
		}
	}
	tail := text[len(text)-3:]
	events, _ := r.stream("/v1/completions", greedy.with(fields{"stop": []string{tail + "Z", tail[2:] + "QQ"}}))
	if got, finish := joined(events, 0); got != text || finish != "length" {
		t.Errorf("with what begins a stop string at its end: %q, %s", got, finish)
	}
}

// TestHalfCharacters: an answer that ends inside a character is UTF-8, and the same in a stream.
func TestHalfCharacters(t *testing.T) {
	r := usual(t)
	for seed := range 12 {
		body := fields{"prompt": "€😀", "max_tokens": 1 + seed%3, "logprobs": 2, "temperature": 1.5, "seed": seed,
			"logit_bias": fields{"226": 20, "240": 20, "130": 19}} // bytes that begin a character, and one that goes on
		whole := r.ask("/v1/completions", body).Choices[0]
		events, done := r.stream("/v1/completions", body)
		got, _ := joined(events, 0)
		if got != whole.Text || !done || !utf8.ValidString(got) || got == "" || len(whole.Logs.Tokens) != 1+seed%3 {
			t.Errorf("seed %d: %q in a stream, %q at once with %v", seed, got, whole.Text, whole.Logs.Tokens)
		}
		var tokens []string
		for _, e := range events {
			for _, c := range e.Choices {
				tokens = append(tokens, c.Logs.Tokens...)
			}
		}
		if fmt.Sprint(tokens) != fmt.Sprint(whole.Logs.Tokens) {
			t.Errorf("seed %d: tokens %q in a stream, %q at once", seed, tokens, whole.Logs.Tokens)
		}
		if seed%3 == 0 && !strings.HasPrefix(tokens[0], `bytes:\x`) {
			t.Errorf("a half character is called %q", tokens[0])
		}
	}
}

// TestUsageInStreams: it is the last event's and no other's, and only of those who ask.
func TestUsageInStreams(t *testing.T) {
	r := usual(t)
	for _, path := range []string{"/v1/completions", "/v1/chat/completions"} {
		body := greedy.with(fields{"messages": []fields{{"role": "user", "content": "Hello"}}, "max_tokens": 6, "n": 2})
		for _, wanted := range []bool{true, false} {
			if wanted {
				body["stream_options"] = fields{"include_usage": true}
			} else {
				delete(body, "stream_options")
			}
			events, done := r.stream(path, body)
			last := events[len(events)-1]
			if wanted && (len(last.Choices) != 0 || last.Usage == nil || last.Usage.Completion != 12) {
				t.Errorf("%s: the last event is %+v", path, last)
			}
			for i, e := range events {
				if e.Usage != nil && !(wanted && i == len(events)-1) || e.ID != last.ID || !done {
					t.Errorf("%s: event %d is %+v", path, i, e)
				}
			}
		}
	}
}

// TestChoices: choice i has the seed that is i more, usage counts all of them and the prompt once.
func TestChoices(t *testing.T) {
	r := usual(t)
	body := greedy.with(fields{"temperature": 1, "n": 3, "seed": 40, "logprobs": 0})
	a := r.ask("/v1/completions", body)
	events, _ := r.stream("/v1/completions", body)
	for i, c := range a.Choices {
		one := r.ask("/v1/completions", body.with(fields{"n": 1, "seed": 40 + i}))
		if c.Index != i || c.Text != one.Choices[0].Text {
			t.Errorf("choice %d is %q, alone %q", i, c.Text, one.Choices[0].Text)
		}
		if got, want := fmt.Sprint(values(c.Logs.Logs)), fmt.Sprint(values(one.Choices[0].Logs.Logs)); got != want {
			t.Errorf("choice %d has the log-probabilities %s, alone %s", i, got, want)
		}
		if got, _ := joined(events, i); got != c.Text {
			t.Errorf("choice %d of a stream is %q, not %q", i, got, c.Text)
		}
	}
	if a.Usage.Completion != 120 || a.Usage.Prompt != 19 {
		t.Errorf("usage %+v", a.Usage)
	}
	a = r.ask("/v1/completions", fields{"prompt": []any{"It was", "They were"}, "n": 2, "max_tokens": 3, "temperature": 0})
	for i, c := range a.Choices {
		if c.Index != i || (i/2 == 0) != (c.Text == a.Choices[0].Text) {
			t.Errorf("choice %d of two prompts: %+v", i, c)
		}
	}
	if a.Usage.Prompt != 15 || a.Usage.Completion != 12 {
		t.Errorf("usage of two prompts %+v", a.Usage)
	}
}
