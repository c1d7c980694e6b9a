package engine

import (
	"context"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/vk"
)

// Inside is a model as package probe sees it, good while the function runs that Model.Inside was given.
type Inside struct{ m *Model }

// Inside calls f, during which nothing else uses the model.
func (m *Model) Inside(f func(in Inside) error) error {
	if m.absent() {
		return errModelClosed
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return errModelClosed
	}
	m.settle()
	return f(Inside{m})
}

// Device is the device that the model runs on.
func (in Inside) Device() *vk.Device { return in.m.device }

// Tokens are those to feed to a sequence: a token that Generate yielded last, which is not fed yet, and some
// more. It is an error if they cannot be fed.
func (in Inside) Tokens(s *State, more []int32) ([]int32, error) {
	if err := in.m.ready(s); err != nil {
		return nil, err
	}
	tokens := append(s.next, more...)
	return tokens, in.m.check(s, tokens)
}

// Feed takes tokens of a sequence through the model.
func (in Inside) Feed(ctx context.Context, s *State, tokens []int32, w Way) error {
	return in.m.feed(ctx, s, tokens, w)
}

// Step is the program of a single token.
func (in Inside) Step() *graph.Program { return in.m.programs.step }

// Head is the program that makes the logits of a pass's last token.
func (in Inside) Head() *graph.Program { return in.m.programs.head }

// Choose is the program that finds the likeliest tokens, nil where the host does.
func (in Inside) Choose() *graph.Program { return in.m.programs.choose }

// Spans are where programs find a state and what they share.
func (in Inside) Spans(s *State) graph.Spans { return s.spans() }

// SetParams says of what the next program is: n tokens, and the position of a sequence.
func (in Inside) SetParams(n int, s *State) { in.m.programs.setParams(n, s.position) }

// Finish makes the logits of the last pass's n tokens those of the state.
func (in Inside) Finish(s *State, n int) error { return in.m.startHead(s, n, false) }

// Logits brings the logits that a program left on the device to the state.
func (in Inside) Logits(s *State) error { return in.m.fetchLogits(s) }

// Tapped plans a pass of one window, of at most the given number of tokens, that copies what it is tapped for to a slot.
func (in Inside) Tapped(tokens int, slot string) (*graph.Program, *Taps, error) {
	t, p := &Taps{Slot: slot}, in.m.programs
	program, err := in.m.plan(in.m.layout, tokens, func(pass *Pass) {
		pass.taps = t
		p.buildTokens(pass)
	})
	return program, t, err
}

// WindowTokens is how many of n tokens from a position on are of one window.
func (in Inside) WindowTokens(s *State, n int) int {
	n = min(n, in.m.programs.passTokens)
	if in.m.window > 0 {
		n = min(n, in.m.window-int(s.position%int64(in.m.window)))
	}
	return n
}
