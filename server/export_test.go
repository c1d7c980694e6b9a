package server

import (
	"context"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/engine"
)

// Fault is called before every token that a scheduler gives; its error, or its panic, takes the token's place.
type Fault func() error

// WithFault has all schedulers of a server fail as f says.
func (o Options) WithFault(f Fault) Options {
	o.newScheduler = func(m *mmrun.Model, so engine.SchedulerOptions) (scheduler, error) {
		s, err := newEngineScheduler(m, so)
		return faulty{s, f}, err
	}
	return o
}

type faulty struct {
	scheduler
	fault Fault
}

func (f faulty) Submit(ctx context.Context, r engine.Request) (stream, error) {
	s, err := f.scheduler.Submit(ctx, r)
	return faultyStream{s, f.fault}, err
}

type faultyStream struct {
	stream
	fault Fault
}

func (f faultyStream) Next(ctx context.Context) (engine.Token, error) {
	if err := f.fault(); err != nil {
		return engine.Token{}, err
	}
	return f.stream.Next(ctx)
}

// SetNoteTokens sets of how many tokens an answer to a request for notes tells, and an event, and returns what undoes it.
func SetNoteTokens(answer, event int) (undo func()) {
	a, e := mostNoteTokens, eventNoteTokens
	mostNoteTokens, eventNoteTokens = answer, event
	return func() { mostNoteTokens, eventNoteTokens = a, e }
}
