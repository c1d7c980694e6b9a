package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// interruptError is the cause of a context that a signal cancelled.
type interruptError struct{ sig syscall.Signal }

func (e *interruptError) Error() string { return "ended by signal: " + e.sig.String() }

// status is the exit status shells expect: 130 for Ctrl-C, 143 for SIGTERM.
func (e *interruptError) status() int { return 128 + int(e.sig) }

// signals turns SIGINT and SIGTERM into a cancelled context. Commands that have something to
// finish, such as text to close or a temporary file to remove, call graceful; before that a signal
// ends the process at once, and a second signal always does.
type signals struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	caught chan os.Signal

	mu     sync.Mutex
	polite bool
	clear  func() // takes an unfinished progress line off the terminal
}

func catchSignals() *signals {
	s := &signals{caught: make(chan os.Signal, 1)}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	signal.Notify(s.caught, syscall.SIGINT, syscall.SIGTERM)
	go s.wait()
	return s
}

func (s *signals) wait() {
	got, ok := <-s.caught
	if !ok {
		return
	}
	signal.Reset(syscall.SIGINT, syscall.SIGTERM)
	end := &interruptError{got.(syscall.Signal)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.polite {
		s.cancel(end)
		return
	}
	if s.clear != nil {
		s.clear()
	}
	os.Exit(end.status())
}

// graceful makes the next signal cancel the context instead of ending the process.
func (s *signals) graceful() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polite = true
}

// onExit names what takes an unfinished line off the terminal if a signal ends the process.
func (s *signals) onExit(clear func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear = clear
}

// perTask makes each SIGINT call interrupt, which stops a task and not the program. SIGTERM cancels the context and then
// calls ended, which ends the process where it waits for a line.
func (s *signals) perTask(interrupt func(), ended func(*interruptError)) {
	s.graceful()
	signal.Stop(s.caught)
	signal.Notify(s.caught, syscall.SIGTERM)
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGINT)
	go func() {
		for range caught {
			interrupt()
		}
	}()
	context.AfterFunc(s.ctx, func() {
		if end := (*interruptError)(nil); errors.As(context.Cause(s.ctx), &end) {
			ended(end)
		}
	})
}

// release gives the signals back to the runtime.
func (s *signals) release() {
	signal.Stop(s.caught)
	close(s.caught)
	s.cancel(nil)
}
