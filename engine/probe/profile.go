package probe

import (
	"context"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/graph"
)

// OpTime is the device time of all calls of one op, with what they had to move and compute at the
// least.
type OpTime = graph.OpTime

// Profile feeds tokens to a sequence as Generate does, one kernel at a time and up to the choice of the
// next token, and returns where the device's time went. It takes longer than that, since kernels do not
// overlap.
func Profile(ctx context.Context, m *engine.Model, s *engine.State, tokens []int32) (all []OpTime, err error) {
	err = m.Inside(func(in engine.Inside) error {
		tokens, err := in.Tokens(s, tokens)
		if err != nil {
			return err
		}
		timed := func(program *graph.Program) error { return timed(program, in.Spans(s), &all) }
		err = in.Feed(ctx, s, tokens, engine.Way{
			Step: len(tokens) == 1,
			Run: func(program *graph.Program, before *graph.Recording) error {
				if err := graph.Run(before); err != nil {
					return err
				}
				return timed(program)
			},
			After: func(p engine.Passed) error {
				if !p.Last || p.Step {
					return nil
				}
				in.SetParams(p.Tokens, s)
				return timed(in.Head())
			},
		})
		if err == nil && in.Choose() != nil {
			err = timed(in.Choose())
		}
		if err != nil {
			return err
		}
		return in.Logits(s)
	})
	return all, err
}

// timed runs a program once with time stamps and adds its times to all.
func timed(program *graph.Program, spans graph.Spans, all *[]OpTime) error {
	r, err := program.RecordTimed(spans)
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
