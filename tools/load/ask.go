package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A question is one request of a client.
type question struct {
	Prompt      []int32 `json:"prompt"`
	MaxTokens   int     `json:"max_tokens"`
	Temperature float64 `json:"temperature"`
	TopP        float64 `json:"top_p"`
	Seed        uint64  `json:"seed"`
	LogProbs    *int    `json:"logprobs,omitempty"`

	early  time.Duration // the client goes away after it; 0 is never
	leaves int           // and after how many pieces; 0 is never
	slow   time.Duration // between two looks at the stream
}

// An answer is what a client got.
type answer struct {
	text     string
	logProbs []float32
	finish   string
	tokens   int // by usage, or pieces where there was none
	prompt   int
	cached   int
	gone     bool // the client went away
	first    time.Duration
	between  []time.Duration // pieces
	err      error
}

// draw makes a question. Of earlier prompts some go on, so that states are found; some clients go away, are slow or
// ask for log-probabilities.
func draw(random *rand.Rand, o *options, vocab int, earlier [][]int32) *question {
	tail := int(math.Exp(random.Float64()*math.Log(float64(o.prompt))) + 0.5)
	q := &question{MaxTokens: o.tokens, TopP: 1, Seed: random.Uint64() >> 1}
	if n := len(earlier); n > 0 && !o.plain && random.IntN(8) == 0 {
		before := earlier[random.IntN(n)]
		q.Prompt = slices.Clone(before[:min(len(before), o.prompt-1)])
		tail = min(tail, o.prompt-len(q.Prompt))
	}
	for range tail {
		q.Prompt = append(q.Prompt, random.Int32N(int32(vocab)))
	}
	if random.IntN(2) == 0 {
		q.Temperature, q.TopP = 0.8, 0.95
	}
	if o.plain {
		return q
	}
	if random.IntN(5) == 0 {
		q.LogProbs = new(int)
	}
	if random.IntN(10) == 0 {
		q.slow = 20 * time.Millisecond
	}
	switch random.IntN(8) {
	case 0:
		q.early = time.Duration(random.Int64N(int64(time.Second))) + 1
	case 1:
		q.leaves = 1 + random.IntN(o.tokens)
	}
	return q
}

// An event is one of a stream, of either kind of completions.
type event struct {
	Choices []struct {
		Text     string
		Delta    struct{ Content string }
		Finish   string `json:"finish_reason"`
		LogProbs *struct {
			Logs []float32 `json:"token_logprobs"`
		}
	}
	Usage *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Details    struct {
			Cached int `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
	}
	Error *struct{ Message string }
}

// ask asks for a completion of tokens.
func (q *question) ask(ctx context.Context, client *http.Client, url string) *answer {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body := struct {
		*question
		Stream  bool            `json:"stream"`
		Options map[string]bool `json:"stream_options"`
	}{q, true, map[string]bool{"include_usage": true}}
	a := &answer{}
	if q.early > 0 {
		defer time.AfterFunc(q.early, cancel).Stop()
	}
	a.err = a.stream(ctx, client, url+"/v1/completions", body, func(pieces int) bool {
		time.Sleep(q.slow)
		return q.leaves == 0 || pieces < q.leaves
	})
	if a.gone = a.gone || q.early > 0 && ctx.Err() != nil && a.err != nil; a.gone {
		a.err = nil
	}
	return a
}

// stream posts a request and takes its stream in, until that ends or goesOn, called with the number of pieces so far,
// says no.
func (a *answer) stream(ctx context.Context, client *http.Client, url string, body any, goesOn func(pieces int) bool) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(data))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	last := time.Now()
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("%s: %s", resp.Status, said)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for pieces := 0; lines.Scan(); {
		line, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if line == "[DONE]" {
			if a.finish == "" {
				return errors.New("a stream ends without saying why")
			}
			return nil
		}
		piece, err := a.take([]byte(line))
		if err != nil {
			return err
		}
		if !piece {
			continue
		}
		now := time.Now()
		if pieces++; a.first == 0 {
			a.first = now.Sub(last)
		} else {
			a.between = append(a.between, now.Sub(last))
		}
		if last = now; !goesOn(pieces) {
			a.gone = true
			return nil
		}
	}
	return errors.Join(errors.New("a stream was cut short"), lines.Err())
}

// take takes an event in, and says whether it is a piece of the text.
func (a *answer) take(data []byte) (piece bool, err error) {
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		return false, fmt.Errorf("event %q: %w", data, err)
	}
	if e.Error != nil {
		return false, errors.New(e.Error.Message)
	}
	if e.Usage != nil {
		a.prompt, a.tokens, a.cached = e.Usage.Prompt, e.Usage.Completion, e.Usage.Details.Cached
	}
	for _, c := range e.Choices {
		a.text += c.Text + c.Delta.Content
		if c.Finish != "" {
			a.finish = c.Finish
		}
		if c.LogProbs != nil {
			a.logProbs = append(a.logProbs, c.LogProbs.Logs...)
		}
		if e.Usage == nil {
			a.tokens++
		}
	}
	return len(e.Choices) > 0, nil
}
