package memmamba

import (
	"fmt"

	"github.com/mmrun/mmrun/graph"
)

// A shortPass is a program for fewer tokens than a chunk has, built when there are so few for the
// first time. A program starts workgroups for as many tokens as it is built for, and those that find no
// token are not free: on a software device a prompt of four tokens takes half its time with them.
type shortPass struct {
	tokens  int
	program *graph.Program
}

func shortPasses() []*shortPass { return []*shortPass{{tokens: 16}, {tokens: 128}} }

// pass returns the smallest program for a pass of so many tokens, or as many of them as one takes.
func (m *Model) pass(tokens int) (*graph.Program, error) {
	p := m.programs
	for _, s := range p.short {
		if tokens > s.tokens || s.tokens >= p.passTokens(m.config) {
			continue
		}
		if s.program == nil {
			if err := p.plan(m, build{&s.program, s.tokens, p.buildChunk}); err != nil {
				return nil, err
			}
		}
		if s.program.Arena() > m.arena.Size() {
			return nil, fmt.Errorf("a pass of %d tokens needs %d bytes of arena, a chunk has %d", s.tokens, s.program.Arena(), m.arena.Size())
		}
		return s.program, nil
	}
	return p.chunk, nil
}

// feedChunk runs a pass over as many of the tokens as it takes.
func (m *Model) feedChunk(s *State, tokens []int32) (int, error) {
	program, err := m.pass(len(tokens))
	if err != nil {
		return 0, err
	}
	return m.feed(s, tokens, func(first *graph.Recording) error {
		r, err := s.recording(program) // to the memory there is now, which may have grown
		if err != nil {
			return err
		}
		return graph.Run(first, r)
	}, m.programs.chunkTokens)
}
