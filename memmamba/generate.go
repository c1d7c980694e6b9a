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
	start := time.Now()
	if len(prompt) > 0 || s.next != nil || s.logits == nil {
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
	for n := 0; n < o.MaxTokens; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		start = time.Now()
		if n > 0 {
			if _, err := m.forward(ctx, s, nil, nil); err != nil {
				return err
			}
			s.timings.GeneratedTokens++
		}
		sampler.SetPosition(s.position)
		token, err := sampler.Sample(s.logits, s.recent)
		if err != nil {
			return err
		}
		s.timings.Generate += time.Since(start)
		if slices.Contains(stop, token) {
			return nil
		}
		s.next = []int32{token}
		if !yield(token, nil) {
			return nil
		}
	}
	return nil
}
