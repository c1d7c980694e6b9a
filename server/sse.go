package server

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
)

// eventStream is the type of streams.
const eventStream = "text/event-stream; charset=utf-8"

// An event is a piece of one of the answers, or why there will be no more.
type event struct {
	choice *choice
	piece
	first bool
	err   error
}

// events sends all pieces of all answers, as they come.
func (a *answering) events(ctx context.Context) (<-chan event, func()) {
	ctx, cancel := context.WithCancel(ctx)
	out := make(chan event)
	var all sync.WaitGroup
	for _, c := range a.choices {
		all.Go(func() {
			for first := true; ; first = false {
				p, err := c.safeNext(ctx)
				select {
				case out <- event{c, p, first, err}:
				case <-ctx.Done():
					return
				}
				if err != nil || p.finish != "" {
					return
				}
			}
		})
	}
	return out, func() {
		cancel()
		all.Wait()
	}
}

// safeNext is next for a goroutine of its own, where a panic would end the program.
func (c *choice) safeNext(ctx context.Context) (p piece, err error) {
	defer func() {
		if what := recover(); what != nil {
			err = fmt.Errorf("internal error: %v\n%s", what, debug.Stack())
		}
	}()
	return c.next(ctx)
}

// stream sends the answers piece by piece, as server-sent events. The answer begins with the first token: what
// goes wrong before has a status of its own.
func (a *answering) stream(ctx context.Context, w http.ResponseWriter) error {
	events, stop := a.events(ctx)
	defer stop()
	out := &eventWriter{w: w, c: http.NewResponseController(w)}
	if a.call.chat {
		a.reply.Object = "chat.completion.chunk"
	}
	if a.call.usage {
		a.reply.Usage = null{}
	}
	for running := len(a.choices); running > 0; {
		var e event
		select {
		case e = <-events:
		case <-ctx.Done():
			return out.fail(context.Cause(ctx))
		}
		if e.err != nil {
			return out.fail(e.err)
		}
		if e.finish != "" {
			if running--; running == 0 {
				stop()
				if err := a.settle(ctx); err != nil {
					return out.fail(err)
				}
			}
		}
		for _, part := range a.parts(e.choice, e.piece, e.first) {
			a.reply.Choices = []any{part}
			if err := out.send(a.reply); err != nil {
				return err
			}
		}
	}
	if a.call.usage {
		a.reply.Choices, a.reply.Usage = []any{}, a.usage()
		if err := out.send(a.reply); err != nil {
			return err
		}
	}
	return out.write("[DONE]\n")
}

// An eventWriter writes server-sent events. What an answerWriter writes in vain ends the stream.
type eventWriter struct {
	w     http.ResponseWriter
	c     *http.ResponseController
	begun bool
}

func (e *eventWriter) send(value any) error { return e.write(string(encode(value))) }

// write sends one event, whose data is one line.
func (e *eventWriter) write(line string) error {
	if !e.begun {
		e.begun = true
		h := e.w.Header()
		h.Set("Content-Type", eventStream)
		h.Set("Cache-Control", "no-cache")
		h.Set("X-Accel-Buffering", "no") // nginx would collect events
		e.w.WriteHeader(http.StatusOK)
	}
	if _, err := e.w.Write([]byte("data: " + line + "\n")); err != nil {
		return gone(err)
	}
	if err := e.c.Flush(); err != nil {
		return gone(err)
	}
	return nil
}

// fail ends a stream: an event tells of the error where one was sent already.
func (e *eventWriter) fail(err error) error {
	if !e.begun {
		return err
	}
	if e.send(problemOf(err).body()) != nil {
		return gone(err)
	}
	return &reported{err}
}
