package memmamba

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/sample"
)

// SampleOptions say how the next token is chosen; the zero value takes the most likely one. Temperature
// divides the logits; TopK, TopP and MinP keep the most likely tokens, 0 all of them; RepeatPenalty
// makes the last RepeatLast tokens (64 when 0) less likely; Seed makes choices repeatable; ids from Vocab
// on, unless it is 0, are padding and never chosen.
type SampleOptions = sample.Options

// GenerateOptions say how a text is continued.
type GenerateOptions struct {
	MaxTokens int                   // at the most; 0 is none
	Sample    SampleOptions         // how the next token is chosen
	Stop      []int32               // tokens that end the text; the config's EOS when nil
	Progress  func(done, total int) // called while the prompt is read, in tokens; may be nil
}

// Generate feeds the prompt to a sequence and yields token after token of its continuation, each
// once it is chosen. The prompt may be empty when the sequence has tokens already. A token that was
// yielded belongs to the sequence; it is fed once more is asked for, by this call or a later one. A
// stop token is not yielded and does not belong. The same seed at the same position makes the same
// choice, however the sequence came there.
func (m *Model) Generate(ctx context.Context, s *State, prompt []int32, o GenerateOptions) iter.Seq2[int32, error] {
	return func(yield func(int32, error) bool) {
		if err := m.generate(ctx, s, prompt, o, yield); err != nil {
			yield(0, err)
		}
	}
}

func (m *Model) generate(ctx context.Context, s *State, prompt []int32, o GenerateOptions, yield func(int32, error) bool) error {
	sampler, err := sample.New(o.Sample)
	if err != nil {
		return err
	}
	clock := time.Now()
	if err := m.read(ctx, s, prompt, o, &clock); err != nil {
		return err
	}
	stop := m.stops(o)
	room := make([]sample.Choice, ops.MaxTop)
	for n := 0; n < o.MaxTokens; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		token, err := m.choose(s, sampler, room)
		if err != nil {
			return err
		}
		s.timings.Generate += lap(&clock)
		if n > 0 {
			s.timings.GeneratedTokens++
		}
		if slices.Contains(stop, token) {
			return nil
		}
		s.next = append(s.next[:0], token)
		if n+1 < o.MaxTokens {
			if err := m.ahead(s); err != nil {
				return err
			}
		}
		if !yield(token, nil) {
			return nil
		}
	}
	return nil
}

// read feeds a prompt, unless there is nothing to feed, up to the choice of the token after it.
func (m *Model) read(ctx context.Context, s *State, prompt []int32, o GenerateOptions, clock *time.Time) error {
	if len(prompt) > 0 || len(s.next) > 0 || s.position == 0 {
		if err := m.forward(ctx, s, prompt, o.MaxTokens > 0, o.Progress); err != nil {
			return err
		}
		if err := m.underway.wait(); err != nil {
			return err
		}
	}
	s.timings.Prompt += lap(clock)
	s.timings.PromptTokens += len(prompt)
	return nil
}

// stops are the tokens that end a text.
func (m *Model) stops(o GenerateOptions) []int32 {
	if o.Stop == nil {
		return m.config.EOS
	}
	return o.Stop
}

// ahead starts the step of the token that is about to be yielded, so that the device works while the
// caller does. The token is the sequence's own by then, so a caller that wants no more of them has
// lost nothing but that step. A token that may be a stop token is never fed: the state would hold it.
func (m *Model) ahead(s *State) error {
	if err := m.check(s, s.next); err != nil {
		return err
	}
	m.underway = underway{} // its logits have served
	return m.step(s, s.next, true)
}

// lap returns the time since clock and sets it to now.
func lap(clock *time.Time) time.Duration {
	now := time.Now()
	d := now.Sub(*clock)
	*clock = now
	return d
}
