package engine

import (
	"errors"
	"fmt"
)

// Errors to test for with errors.Is. The errors of package vk beside them tell of the device.
var (
	ErrClosed      = errors.New("closed")
	ErrEmptyPrompt = errors.New("no tokens given")
	ErrTooLong     = errors.New("the sequence is too long for the model")
	ErrOtherModel  = errors.New("of another model")
	ErrRefused     = errors.New("refused") // of a saved state that is none, was cut short or altered
	ErrFailed      = errors.New("the state is undefined since a call failed on the device; reset or load it")
)

// A TooLongError says how many tokens a sequence would have and how many the model takes. It is ErrTooLong.
type TooLongError struct{ Tokens, Most int64 }

func (e *TooLongError) Error() string {
	return fmt.Sprintf("a sequence of %d tokens is longer than the model's %d", e.Tokens, e.Most)
}

// Is says that it is ErrTooLong.
func (e *TooLongError) Is(target error) bool { return target == ErrTooLong }

// What is nil, or was never opened, is as closed as what was.
var (
	errModelClosed     = fmt.Errorf("the model is %w", ErrClosed)
	errStateClosed     = fmt.Errorf("the state is %w", ErrClosed)
	errSchedulerClosed = fmt.Errorf("the scheduler is %w", ErrClosed)
)

// absent says that a model is nil, or was never opened.
func (m *Model) absent() bool { return m == nil || m.device == nil || m.programs == nil }

// absent says that a state is nil, or of no model.
func (s *State) absent() bool { return s == nil || s.model == nil }

// there refuses a model or a state that is not there.
func (m *Model) there(s *State) error {
	switch {
	case m.absent() || m.config == nil:
		return errModelClosed
	case s.absent():
		return errStateClosed
	}
	return nil
}

// ready refuses what cannot go on, and settles what is under way.
func (m *Model) ready(s *State) error {
	switch {
	case m.closed:
		return errModelClosed
	case s.model != m:
		return fmt.Errorf("the state is %w", ErrOtherModel)
	case s.recorded == nil:
		return errStateClosed
	}
	m.settle()
	if s.failed != nil {
		return fmt.Errorf("%w: %w", ErrFailed, s.failed)
	}
	return nil
}

// fail keeps an error of the device: what the sequence carries is undefined after it.
func (s *State) fail(err error) error {
	if err != nil && s.failed == nil {
		s.failed = err
	}
	return err
}

// Refused makes an error of a file ErrRefused, in the same words.
func Refused(err error) error { return &refusal{err} }

type refusal struct{ error }

// Is says that it is ErrRefused.
func (r *refusal) Is(target error) bool { return target == ErrRefused }

// Unwrap is the error itself.
func (r *refusal) Unwrap() error { return r.error }
