package server

import (
	"context"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/tokenizer"
)

// scheduler is what takes requests on together: an engine.Scheduler.
type scheduler interface {
	Submit(ctx context.Context, r engine.Request) (stream, error)
	Stats() engine.SchedulerStats
	Close() error
}

// stream is what it makes of one: an engine.Stream.
type stream interface {
	Next(ctx context.Context) (engine.Token, error)
	Prompt() []engine.Token
}

type engineScheduler struct{ *engine.Scheduler }

func (s engineScheduler) Submit(ctx context.Context, r engine.Request) (stream, error) {
	one, err := s.Scheduler.Submit(ctx, r)
	if err != nil {
		return nil, err
	}
	return one, nil
}

// newEngineScheduler makes the scheduler of a model.
func newEngineScheduler(m *mmrun.Model, o engine.SchedulerOptions) (scheduler, error) {
	s, err := m.NewScheduler(o)
	if err != nil {
		return nil, err
	}
	return engineScheduler{s}, nil
}

// A choice is one answer while it is made.
type choice struct {
	index  int
	stream stream
	cancel context.CancelFunc

	tok    *tokenizer.Tokenizer
	text   *mmrun.Text
	most   int // tokens
	logs   bool
	echo   string   // the prompt's text, which comes first
	asked  []int32  // the prompt's tokens, where they are scored
	echoed []logged // they with their log-probabilities, once they are known

	begun   bool
	shown   []byte   // of the answer, with echo
	pending []logged // whose text has not come yet
	chars   int      // characters before byte charsAt
	charsAt int
}

// logged is a token with its log-probabilities.
type logged struct {
	engine.Token
	at    int  // the byte of the answer at which it begins
	chars int  // the same in characters, once it is given out
	first bool // nothing comes before it: it has no probability
}

// A piece is what is new of an answer.
type piece struct {
	text   string
	tokens []logged
	finish string // length or stop; empty before the end
}

// next waits for a piece: the first comes with the first token even if there is no text of it yet, the last has
// the answer's end.
func (c *choice) next(ctx context.Context) (piece, error) {
	for {
		t, err := c.stream.Next(ctx)
		if errors.Is(err, io.EOF) || err == nil && t.Stopped {
			return c.end(c.begin()), nil
		}
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return piece{}, err
		}
		first := !c.begun
		text := c.begin()
		if c.logs {
			c.pending = append(c.pending, logged{Token: t, at: len(c.echo) + c.text.Decoded()})
		}
		text += c.text.Add(t.ID)
		if c.text.Finish != "" {
			return c.end(text), nil
		}
		if first || text != "" {
			return c.give(text, ""), nil
		}
	}
}

// begin is what comes before the first token.
func (c *choice) begin() string {
	if c.begun {
		return ""
	}
	c.begun = true
	if c.asked != nil {
		c.pending = c.scored()
	}
	return c.echo
}

// scored are the prompt's tokens with their log-probabilities, once the stream has begun.
func (c *choice) scored() []logged {
	if c.echoed != nil {
		return c.echoed
	}
	scores := c.stream.Prompt()
	text, at := c.tok.NewStream(), 0
	for i, id := range c.asked {
		one := logged{Token: engine.Token{ID: id}, at: min(at, len(c.echo)), first: i == 0}
		if i > 0 && i <= len(scores) {
			one.Token = scores[i-1]
		}
		c.echoed = append(c.echoed, one)
		at += len(text.Push(id))
	}
	return c.echoed
}

// end is the last piece, which begins with a text.
func (c *choice) end(text string) piece {
	text += c.text.End(c.most, false, false)
	finish := "stop"
	if c.text.Finish == mmrun.FinishLength {
		finish = "length"
	}
	return c.give(text, finish)
}

// give takes a piece into the answer, with the tokens whose text begins in it.
func (c *choice) give(text, finish string) piece {
	c.shown = append(c.shown, text...)
	n := 0
	for n < len(c.pending) && (c.pending[n].at < len(c.shown) || finish != "" && c.text.Finish != mmrun.FinishStop) {
		at := min(c.pending[n].at, len(c.shown))
		c.chars += utf8.RuneCount(c.shown[c.charsAt:at])
		c.charsAt = at
		c.pending[n].chars = c.chars
		n++
	}
	p := piece{text: text, tokens: c.pending[:n:n], finish: finish}
	c.pending = c.pending[n:]
	return p
}

// close ends an answer wherever it is.
func (c *choice) close() { c.cancel() }
