package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/engine"
)

// latencyRun reads a long prompt with one model.
type latencyRun struct {
	*opened
	report   *latencyModel
	state    *engine.State
	random   *rand.Rand
	generate int
	spent    time.Duration // reading
}

// newRun opens a model that can take as many tokens as there will be.
func (r *latencyReport) newRun(c *cli.Context, src source) (run *latencyRun, err error) {
	e, err := openEngine(c, src)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			e.close(&err)
		}
	}()
	sizes := e.Sizes()
	if int64(r.longest()) > sizes.MaxTokens {
		return nil, fmt.Errorf("%s: a sequence has %d tokens at the most, fewer than the %d that --contexts and --generate ask for", src.Name(), sizes.MaxTokens, r.longest())
	}
	tensors, closing, err := src.weights()
	if err != nil {
		return nil, err
	}
	defer closing()
	in, err := inspect(src.Name(), e.Config(), tensors)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", src.Name(), err)
	}
	model := &latencyModel{Model: src.Name(), ModelType: sizes.ModelType, Layers: sizes.Layers, Hidden: sizes.Hidden,
		Parameters: in.Parameters, Device: e.Device().Name, head: e.describe()}
	state, err := e.NewState()
	if err != nil {
		return nil, err
	}
	return &latencyRun{opened: e, report: model, state: state, generate: r.Generate,
		random: rand.New(rand.NewPCG(c.Uint64("seed"), 0))}, nil
}

func (run *latencyRun) close(err *error) {
	run.state.Close()
	run.opened.close(err)
}

// tokens are the next of the prompt.
func (run *latencyRun) tokens(n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = run.random.Int32N(int32(run.Sizes().Vocab))
	}
	return ids
}

// warmUp runs every program once, which compiles it, and forgets what it read. The measured prompt
// does not begin alike.
func (run *latencyRun) warmUp(ctx context.Context) error {
	n := int(min(int64(run.Chunk()), run.Sizes().MaxTokens-int64(run.generate)))
	if _, err := run.Forward(ctx, run.state, run.tokens(n)); err != nil {
		return err
	}
	if _, err := run.further(ctx); err != nil {
		return err
	}
	return run.state.Reset()
}

// reach reads on to a context length and measures what a token takes there.
func (run *latencyRun) reach(ctx context.Context, context int, progress func(done int64)) error {
	ids := run.tokens(context - int(run.state.Position()))
	const step = 8192 // so that the progress moves
	for len(ids) > 0 {
		some := ids[:min(step, len(ids))]
		start := time.Now()
		if _, err := run.Forward(ctx, run.state, some); err != nil {
			return err
		}
		run.spent += time.Since(start)
		ids = ids[len(some):]
		progress(run.state.Position())
	}
	use := run.Memory()
	one := &latencyContext{Context: context, Prompt: run.spent.Seconds(), State: run.state.Bytes(), Allocated: use.Allocated}
	one.Device = use.Weights + use.Activations + one.State
	token, err := run.further(ctx)
	if err != nil {
		return err
	}
	one.Token = token.Seconds()
	one.EndToEnd = one.Prompt + float64(run.generate)*one.Token
	run.report.Contexts = append(run.report.Contexts, one)
	return nil
}

// further is the time of a further token, by a branch of the sequence.
func (run *latencyRun) further(ctx context.Context) (time.Duration, error) {
	branch, err := run.state.Clone()
	if err != nil {
		return 0, err
	}
	defer branch.Close()
	var start time.Time
	n := 0
	for _, err := range run.Generate(ctx, branch, nil, engine.GenerateOptions{MaxTokens: run.generate + 1, Stop: []int32{}}) {
		if err != nil {
			return 0, err
		}
		if n == 0 {
			start = time.Now() // the first is chosen by what the prompt left
		}
		n++
	}
	return time.Since(start) / time.Duration(n-1), nil
}
