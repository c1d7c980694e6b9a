package engine

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/mmrun/mmrun/graph"
)

// maxPosition bounds a sequence: positions are 32 bits on the device.
const maxPosition = math.MaxUint32

// A Way is how tokens go through a model: whether the last runs as a step, which program a pass is and how it
// runs, and what is done after it.
type Way struct {
	Step    bool                                                        // there is one token, which runs as one generated
	Most    int                                                         // tokens of a pass; 0 is as many as one takes
	Program func(tokens int) (*graph.Program, error)                    // of a pass of several tokens; that of a prompt when nil
	Run     func(program *graph.Program, before *graph.Recording) error // runs it, after what is due before unless that is nil
	After   func(p Passed) error                                        // may be nil
}

// Passed is a pass that has run: some tokens of those that are fed.
type Passed struct {
	First, Tokens int
	Step          bool // it was a single token's, up to the logits
	Last          bool // no token is left
}

// feed takes tokens of a sequence through the model, pass by pass. It is the one way in which tokens are fed to
// a sequence alone. Nothing is under way.
func (m *Model) feed(ctx context.Context, s *State, tokens []int32, w Way) error {
	for done := 0; done < len(tokens); {
		if err := ctx.Err(); err != nil {
			return err
		}
		p := Passed{First: done, Step: w.Step}
		var err error
		if p.Tokens, err = m.pass(s, tokens[done:], p.Step, w); err != nil {
			return err
		}
		done += p.Tokens
		p.Last = done == len(tokens)
		if w.After == nil {
			continue
		}
		if err := w.After(p); err != nil {
			return err
		}
	}
	return nil
}

// pass runs as many of the tokens as one pass takes.
func (m *Model) pass(s *State, tokens []int32, step bool, w Way) (n int, err error) {
	program := m.programs.step
	if n = m.passTokens(s.position, len(tokens), w.Most); !step {
		choose := w.Program
		if choose == nil {
			choose = m.prompt
		}
		if program, err = choose(n); err != nil {
			return 0, err
		}
	}
	before, err := m.due(s, n)
	if err != nil {
		return 0, err
	}
	m.programs.setParams(n, s.position)
	m.programs.setIDs(tokens[:n])
	if err := w.Run(program, before); err != nil {
		return 0, s.fail(err)
	}
	s.position += int64(n)
	s.remember(tokens[:n])
	return n, nil
}

// passTokens is how many of n tokens a pass takes that begins at a position.
func (m *Model) passTokens(position int64, n, most int) int {
	n = min(n, m.programs.passTokens)
	if most > 0 {
		n = min(n, most)
	}
	if m.window > 0 && !m.across {
		n = min(n, m.window-int(position%int64(m.window)))
	}
	if bounded, ok := m.config.(Bounded); ok {
		n = min(n, bounded.TokensAt(position))
	}
	return n
}

// due does what has to be done before a pass of n tokens. What a single token's pass needs first it returns,
// nil if nothing, to be submitted with that: they have the same parameters.
func (m *Model) due(s *State, n int) (before *graph.Recording, err error) {
	if err := s.reserve(s.position + int64(n)); err != nil {
		return nil, err
	}
	if m.begins(s.position) {
		if before, err = s.recording(m.programs.begin); err != nil {
			return nil, err
		}
	}
	if n == 1 && s.onWindow == nil {
		return before, nil
	}
	if before != nil {
		m.programs.setParams(1, s.position)
		if err := before.Run(); err != nil {
			return nil, s.fail(err)
		}
	}
	return nil, m.tellWindows(s, n)
}

// begins says whether something is due before the token at a position: it is the first of a window.
func (m *Model) begins(position int64) bool {
	return m.window > 0 && position > 0 && position%int64(m.window) == 0
}

// tellWindows tells who asked of the windows that begin in a pass of n tokens. Whoever is told may call the
// model.
func (m *Model) tellWindows(s *State, n int) error {
	if s.onWindow == nil || m.window == 0 {
		return nil
	}
	W := int64(m.window)
	for window := (s.position + W - 1) / W; window*W < s.position+int64(n); window++ {
		m.mu.Unlock()
		err := s.onWindow(window)
		m.mu.Lock()
		if err == nil {
			err = m.ready(s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// check refuses tokens that cannot be fed to a sequence.
func (m *Model) check(s *State, tokens []int32) error {
	if len(tokens) == 0 {
		return ErrEmptyPrompt
	}
	if s.lane != nil {
		return fmt.Errorf("the state is a scheduler's: a clone of it may be fed")
	}
	if total := s.position + int64(len(tokens)); total > m.sizes.MaxTokens {
		return &TooLongError{Tokens: total, Most: m.sizes.MaxTokens}
	}
	return m.checkIDs(tokens)
}

// checkIDs refuses tokens that are none of the vocabulary.
func (m *Model) checkIDs(tokens []int32) error {
	for i, id := range tokens {
		if id < 0 || int(id) >= m.sizes.Vocab {
			return fmt.Errorf("token %d: id %d is outside the vocabulary of %d", i, id, m.sizes.Vocab)
		}
	}
	return nil
}

// remember notes tokens as fed.
func (s *State) remember(tokens []int32) {
	s.next = s.next[:0]
	if s.recent == nil {
		s.recent = make([]int32, 0, recentTokens+MaxChunk) // so that it never grows
	}
	s.recent, s.sum = remembered(s.recent, tokens...), s.sum.Then(tokens...)
}

// remembered is recent with more tokens, of which the last are kept.
func remembered(recent []int32, tokens ...int32) []int32 {
	recent = append(recent, tokens...)
	if extra := len(recent) - recentTokens; extra > 0 {
		recent = slices.Delete(recent, 0, extra)
	}
	return recent
}
