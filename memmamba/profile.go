package memmamba

import (
	"context"

	"github.com/mmrun/mmrun/graph"
)

// OpTime is the device time of all calls of one op, with what they had to move and compute at the
// least.
type OpTime = graph.OpTime

// Profile feeds tokens to a sequence as Generate does, one kernel at a time and up to the choice of the
// next token, and returns where the device's time went. It takes longer than that, since kernels do not
// overlap.
func (m *Model) Profile(ctx context.Context, s *State, tokens []int32) ([]OpTime, error) {
	if err := m.settle(); err != nil {
		return nil, err
	}
	tokens = append(s.next, tokens...)
	if err := m.check(s, tokens); err != nil {
		return nil, err
	}
	var all []OpTime
	for done := 0; done < len(tokens); {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		program, limit := m.programs.step, 1
		if len(tokens)-done > 1 {
			var err error
			if program, err = m.pass(len(tokens) - done); err != nil {
				return nil, err
			}
			limit = m.programs.chunkTokens
		}
		n, err := m.feed(s, tokens[done:], func(first *graph.Recording) error {
			if err := graph.Run(first); err != nil {
				return err
			}
			return s.timed(program, &all)
		}, limit)
		if err != nil {
			return nil, err
		}
		if done += n; done == len(tokens) && program != m.programs.step {
			m.programs.setParams(n, s.position)
			if err := s.timed(m.programs.head, &all); err != nil {
				return nil, err
			}
		}
	}
	if m.programs.choose != nil {
		if err := s.timed(m.programs.choose, &all); err != nil {
			return nil, err
		}
	}
	return all, m.fetchLogits(s)
}

// timed runs a program once with time stamps and adds its times to all.
func (s *State) timed(program *graph.Program, all *[]OpTime) error {
	r, err := program.RecordTimed(s.spans())
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.Run(); err != nil {
		return err
	}
	times, err := r.Times()
	if err != nil {
		return err
	}
	for _, t := range times {
		*all = addTime(*all, t)
	}
	return nil
}

func addTime(all []OpTime, t OpTime) []OpTime {
	for i := range all {
		if all[i].Op == t.Op {
			all[i].Calls += t.Calls
			all[i].Time += t.Time
			all[i].Bytes += t.Bytes
			all[i].Flops += t.Flops
			return all
		}
	}
	return append(all, t)
}
