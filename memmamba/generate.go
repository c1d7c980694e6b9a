package memmamba

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/mmrun/mmrun/internal/sample"
)

// GenerateOptions say how a text is continued.
type GenerateOptions struct {
	MaxTokens int                   // at the most; 0 is none
	Sample    sample.Options        // how the next token is chosen
	Stop      []int32               // tokens that end the text; the config's EOS when nil
	Progress  func(done, total int) // called while the prompt is read, in tokens; may be nil
}

// Generate feeds the prompt to a sequence and yields token after token of its continuation, each
// once it is chosen. The prompt may be empty when the sequence has tokens already. A token is fed
// to the sequence only when another is asked for, and a stop token is neither yielded nor fed.
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
	start := time.Now()
	if len(prompt) > 0 || s.logits == nil {
		if _, err := m.forward(ctx, s, prompt, o.Progress); err != nil {
			return err
		}
	}
	s.timings.Prompt += time.Since(start)
	s.timings.PromptTokens += len(prompt)
	stop := o.Stop
	if stop == nil {
		stop = m.config.EOS
	}
	recent := slices.Clone(prompt)
	for n := 0; n < o.MaxTokens; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		start = time.Now()
		if n > 0 {
			if _, err := m.Forward(ctx, s, recent[len(recent)-1:]); err != nil {
				return err
			}
		}
		token, err := sampler.Sample(s.logits, recent)
		if err != nil {
			return err
		}
		s.timings.Generate += time.Since(start)
		s.timings.GeneratedTokens++
		if slices.Contains(stop, token) || !yield(token, nil) {
			return nil
		}
		recent = append(recent, token)
	}
	return nil
}
