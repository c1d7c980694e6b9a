package engine

import (
	"context"
	"fmt"

	"github.com/mmrun/mmrun/graph"
)

// Forward feeds tokens to a sequence, after one that Generate yielded last, and returns the logits
// after the last, [vocab], valid until the state's next call. A token by itself takes the step that generated ones
// take, several are read as a prompt. When ctx ends, the state stands after the last whole pass.
func (m *Model) Forward(ctx context.Context, s *State, tokens []int32) ([]float32, error) {
	if err := m.there(s); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.forward(ctx, s, tokens, len(tokens)+len(s.next) == 1, false, nil); err != nil {
		return nil, err
	}
	return m.logits(s)
}

// forward feeds tokens, as a step where there is only one to generate from, and leaves the step or the head of the
// last pass under way, with the choice of the next token if choose asks for it.
func (m *Model) forward(ctx context.Context, s *State, tokens []int32, step, choose bool, progress func(done, total int)) error {
	if err := m.ready(s); err != nil {
		return err
	}
	tokens = append(s.next, tokens...)
	if err := m.check(s, tokens); err != nil {
		return err
	}
	return m.feed(ctx, s, tokens, Way{
		Step: step,
		Run: func(program *graph.Program, before *graph.Recording) error {
			if program == m.programs.step {
				return m.startStep(s, choose, before)
			}
			return s.run(program, before)
		},
		After: func(p Passed) error {
			if p.Last && !p.Step {
				if err := m.startHead(s, p.Tokens, choose); err != nil {
					return err
				}
			}
			if progress != nil {
				progress(p.First+p.Tokens, len(tokens))
			}
			return nil
		},
	})
}

// ForwardAll is Forward of a sequence that Generate did not yield to, with the logits of every token:
// each is called with the index of the first token of a block and the block's logits, rows of [vocab], valid
// during the call. It may not call the model.
func (m *Model) ForwardAll(ctx context.Context, s *State, tokens []int32, each func(first int, logits []float32) error) error {
	if err := m.there(s); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.readyForText(s, tokens); err != nil {
		return err
	}
	return m.feed(ctx, s, tokens, Way{
		Run: s.run,
		After: func(p Passed) error {
			block := m.programs.rowsBlock
			for from := 0; from < p.Tokens; from += block {
				logits, err := m.rowsOfLogits(s, from/block, min(block, p.Tokens-from))
				if err == nil {
					err = each(p.First+from, logits)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// readyForText is ready and check for tokens that follow no token of Generate's.
func (m *Model) readyForText(s *State, tokens []int32) error {
	if err := m.ready(s); err != nil {
		return err
	}
	if len(s.next) > 0 {
		return fmt.Errorf("the state waits for the token that was generated last")
	}
	return m.check(s, tokens)
}

// rowsOfLogits computes the logits of n tokens of the last pass, from a block of rows on. The last of them are
// those of the state.
func (m *Model) rowsOfLogits(s *State, block, n int) ([]float32, error) {
	m.programs.setParams(n, s.position)
	r, err := m.programs.unbound(m.programs.rows, m.arena.Whole(), block)
	if err == nil {
		err = r.Run()
	}
	if err == nil {
		err = m.readLogits(s, n)
	}
	if err != nil {
		return nil, s.fail(err)
	}
	all := s.logits
	s.logits = all[(n-1)*m.sizes.Vocab:]
	return all, nil
}
