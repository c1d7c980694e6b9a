package engine

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/sample"
)

// GenerateOptions say how a text is continued.
type GenerateOptions struct {
	MaxTokens int                   // at the most; 0 is none
	Sample    sample.Options        // how the next token is chosen
	Stop      []int32               // tokens that end the text; the config's EOS when nil
	Progress  func(done, total int) // called while the prompt is read, in tokens; it may not call the model; may be nil
}

// Generate feeds the prompt to a sequence and yields token after token of its continuation, each
// once it is chosen. The prompt may be empty when the sequence has tokens already. A token that was
// yielded belongs to the sequence; it is fed once more is asked for, by this call or a later one. A
// stop token is not yielded and does not belong. The same seed at the same position makes the same
// choice, however the sequence came there. Other calls may use the model between two tokens.
func (m *Model) Generate(ctx context.Context, s *State, prompt []int32, o GenerateOptions) iter.Seq2[int32, error] {
	return func(yield func(int32, error) bool) {
		if err := m.generate(ctx, s, prompt, o, yield); err != nil {
			yield(0, err)
		}
	}
}

// A generation is one call of Generate.
type generation struct {
	m       *Model
	s       *State
	sampler *sample.Sampler
	room    []sample.Choice
	stop    []int32
	clock   time.Time
}

func (m *Model) generate(ctx context.Context, s *State, prompt []int32, o GenerateOptions, yield func(int32, error) bool) error {
	if err := m.there(s); err != nil {
		return err
	}
	sampler, err := sample.New(o.Sample)
	if err != nil {
		return err
	}
	g := &generation{m: m, s: s, sampler: sampler, room: make([]sample.Choice, ops.MaxTop), stop: m.stops(o), clock: time.Now()}
	if err := g.read(ctx, prompt, o); err != nil {
		return err
	}
	for n := 0; n < o.MaxTokens; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		token, stopped, err := g.token(n > 0, n+1 < o.MaxTokens)
		if err != nil {
			return err
		}
		if stopped || !yield(token, nil) {
			return nil
		}
	}
	return nil
}

// read reads the prompt.
func (g *generation) read(ctx context.Context, prompt []int32, o GenerateOptions) error {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	return g.m.read(ctx, g.s, prompt, o, &g.clock)
}

// token chooses the next token, and with more starts its step, so that the device works while the caller
// does.
func (g *generation) token(counts, more bool) (token int32, stopped bool, err error) {
	m, s := g.m, g.s
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.underway.state != s { // another call came between
		if err := m.ready(s); err != nil {
			return 0, false, err
		}
	}
	if token, err = m.choose(s, g.sampler, g.room); err != nil {
		return 0, false, err
	}
	s.timings.Generate += lap(&g.clock)
	if counts {
		s.timings.GeneratedTokens++
	}
	if slices.Contains(g.stop, token) {
		return token, true, nil
	}
	s.next = append(s.next[:0], token)
	if more {
		if err = m.ahead(s); err != nil {
			s.next = s.next[:0] // nobody will get it
		}
	}
	return token, false, err
}

// read feeds a prompt, unless there is nothing to feed, up to the choice of the token after it. A prompt is read in
// passes even where one token is left: what it comes to depends on its cuts as little as it may.
func (m *Model) read(ctx context.Context, s *State, prompt []int32, o GenerateOptions, clock *time.Time) error {
	if err := m.ready(s); err != nil {
		return err
	}
	if len(prompt) > 0 || len(s.next) > 0 || s.position == 0 {
		if err := m.forward(ctx, s, prompt, len(prompt) == 0, o.MaxTokens > 0, o.Progress); err != nil {
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
		return m.sizes.EOS
	}
	return o.Stop
}

// ahead starts the step of the token that is about to be yielded. The token is the sequence's own by then, so
// a caller that wants no more of them has lost nothing but that step. A token that may be a stop token is
// never fed: the state would hold it.
func (m *Model) ahead(s *State) error {
	if err := m.check(s, s.next); err != nil {
		return err
	}
	m.underway = underway{} // its logits have served
	_, err := m.pass(s, s.next, true, Way{Run: func(_ *graph.Program, before *graph.Recording) error {
		return m.startStep(s, true, before)
	}})
	return err
}

// lap returns the time since clock and sets it to now.
func lap(clock *time.Time) time.Duration {
	now := time.Now()
	d := now.Sub(*clock)
	*clock = now
	return d
}
