package server_test

import (
	"context"
	"testing"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/sample"
)

var greedy = fields{"prompt": "It was a dark night", "max_tokens": 40, "temperature": 0}

// write is what the model alone writes after a prompt.
func write(t *testing.T, prompt string, o mmrun.GenerateOptions) string {
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
	text := ""
	for piece, err := range s.Generate(context.Background(), prompt, o) {
		if err != nil {
			t.Fatal(err)
		}
		text += piece
	}
	return text
}

// TestCompletion: an answer is what the model alone writes with the same seed and settings, at once and in a stream.
func TestCompletion(t *testing.T) {
	r := usual(t)
	for _, temperature := range []float64{0, 0.9} {
		ask := greedy.with(fields{"temperature": temperature, "seed": 7, "model": bundledName})
		want := write(t, "It was a dark night", mmrun.GenerateOptions{MaxTokens: 40, Sample: sample.Options{Temperature: temperature, Seed: 7, TopP: 1}})
		a := r.ask("/v1/completions", ask)
		if got := a.Choices[0].Text; got != want || *a.Choices[0].Finish != "length" || a.Model != bundledName || a.Object != "text_completion" {
			t.Errorf("at %v: %+v, want %q", temperature, a, want)
		}
		if u := a.Usage; u.Prompt != 19 || u.Completion != 40 || u.Total != 59 {
			t.Errorf("usage %+v", u)
		}
		events, done := r.stream("/v1/completions", ask)
		if got, finish := joined(events, 0); got != want || finish != "length" || !done {
			t.Errorf("a stream at %v has %q, %s, %v; want %q", temperature, got, finish, done, want)
		}
	}
}
