package memmamba

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/mmrun/mmrun/graph"
)

// Timings are how long the tokens of a state took so far.
type Timings struct {
	PromptTokens    int
	GeneratedTokens int // after the first, whose logits are the prompt's
	Prompt          time.Duration
	Generate        time.Duration
}

// Timings returns the state's timings.
func (s *State) Timings() Timings { return s.timings }

// maxPosition bounds a sequence: positions are 32 bits on the device.
const maxPosition = math.MaxUint32

// Forward feeds tokens to a sequence, after one that Generate yielded last, and returns the logits
// after the last, [vocab], valid until the state's next call. When ctx ends, the state stands after the last whole chunk.
func (m *Model) Forward(ctx context.Context, s *State, tokens []int32) ([]float32, error) {
	if err := m.forward(ctx, s, tokens, false, nil); err != nil {
		return nil, err
	}
	return s.Logits()
}

// forward feeds tokens and leaves the last step or head under way, with the choice of the next token
// if choose asks for it.
func (m *Model) forward(ctx context.Context, s *State, tokens []int32, choose bool, progress func(done, total int)) error {
	if err := m.settle(); err != nil {
		return err
	}
	tokens = append(s.next, tokens...)
	if err := m.check(s, tokens); err != nil {
		return err
	}
	for done := 0; done < len(tokens); {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := m.advance(s, tokens[done:], choose)
		if err != nil {
			return err
		}
		done += n
		if progress != nil {
			progress(done, len(tokens))
		}
	}
	return nil
}

// ForwardAll is Forward of a sequence that Generate did not yield to, with the logits of every token:
// each is called with the index of the first
// token of a block and the block's logits, rows of [vocab], valid during the call.
func (m *Model) ForwardAll(ctx context.Context, s *State, tokens []int32, each func(first int, logits []float32) error) error {
	if err := m.settle(); err != nil {
		return err
	}
	if len(s.next) > 0 {
		return errors.New("the state waits for the token that was generated last")
	}
	if err := m.check(s, tokens); err != nil {
		return err
	}
	for done := 0; done < len(tokens); {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := m.feedChunk(s, tokens[done:])
		if err != nil {
			return err
		}
		for from := 0; from < n; from += rowsBlock {
			if err := m.rows(s, from/rowsBlock, min(rowsBlock, n-from), func(logits []float32) error {
				return each(done+from, logits)
			}); err != nil {
				return err
			}
		}
		done += n
	}
	return nil
}

func (m *Model) check(s *State, tokens []int32) error {
	if s.model != m {
		return errors.New("the state belongs to another model")
	}
	if len(tokens) == 0 {
		return errNoTokens
	}
	if total, most := s.position+int64(len(tokens)), m.config.maxTokens(); total > most {
		return fmt.Errorf("a sequence of %d tokens is longer than the model's %d", total, most)
	}
	for i, id := range tokens {
		if id < 0 || int(id) >= m.config.VocabSize {
			return fmt.Errorf("token %d: id %d is outside the vocabulary of %d", i, id, m.config.VocabSize)
		}
	}
	return nil
}

// advance feeds the next chunk, or the single token that is left, and leaves what makes the logits
// under way when it was the last.
func (m *Model) advance(s *State, tokens []int32, choose bool) (int, error) {
	if len(tokens) == 1 {
		return 1, m.step(s, tokens, choose)
	}
	n, err := m.feedChunk(s, tokens)
	if err != nil || n < len(tokens) {
		return n, err
	}
	return n, m.head(s, n, choose)
}

// head starts what makes the logits of the last of a chunk's n tokens.
func (m *Model) head(s *State, n int, choose bool) error {
	m.programs.setParams(n, s.position)
	r, err := m.programs.shared(m.programs.head, m.arena.Whole(), 0)
	if err != nil {
		return err
	}
	return m.start(s, choose, nil, r)
}

// feed has run run a pass over as many tokens as it takes and the memory's window leaves room for, after
// first unless that is nil.
func (m *Model) feed(s *State, tokens []int32, run func(first *graph.Recording) error, limit int) (int, error) {
	n, first := min(len(tokens), limit), (*graph.Recording)(nil)
	if m.config.Memory != nil {
		var err error
		n = m.windowTokens(s, n)
		if first, err = m.meetWindows(s, n); err != nil {
			return 0, err
		}
	}
	if s.cache != nil {
		n = min(n, m.programs.passTokens(m.config), m.config.tokensAt(s.position))
		if err := s.reserve(s.position + int64(n)); err != nil {
			return 0, err
		}
	}
	m.programs.setParams(n, s.position)
	m.programs.setIDs(tokens[:n])
	if err := run(first); err != nil {
		return 0, err
	}
	s.position += int64(n)
	s.remember(tokens[:n])
	return n, nil
}

// remember notes tokens as fed.
func (s *State) remember(tokens []int32) {
	s.next = s.next[:0]
	if s.recent == nil {
		s.recent = make([]int32, 0, recentTokens+MaxChunk) // so that it never grows
	}
	s.recent = remembered(s.recent, tokens...)
}

// remembered is recent with more tokens, of which the last are kept.
func remembered(recent []int32, tokens ...int32) []int32 {
	recent = append(recent, tokens...)
	if extra := len(recent) - recentTokens; extra > 0 {
		recent = slices.Delete(recent, 0, extra)
	}
	return recent
}

// rows computes the logits of n tokens of the last chunk, from a block of rows on.
func (m *Model) rows(s *State, block, n int, each func([]float32) error) error {
	m.programs.setParams(n, s.position)
	r, err := m.programs.shared(m.programs.rows, m.arena.Whole(), block)
	if err == nil {
		err = r.Run()
	}
	if err == nil {
		err = m.readLogits(s, n)
	}
	if err != nil {
		return err
	}
	all := s.logits
	s.logits = all[(n-1)*m.config.VocabSize:]
	return each(all)
}
