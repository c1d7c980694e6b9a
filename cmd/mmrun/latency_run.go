package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/memmamba"
)

// latencyRun reads a long prompt with one model.
type latencyRun struct {
	*engine
	report   *latencyModel
	state    *memmamba.State
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
	cfg := e.Config()
	if t := cfg.Transformer; t != nil && r.longest() > t.MaxPositions {
		return nil, fmt.Errorf("%s: max_position_embeddings %d is less than the %d tokens that --contexts and --generate ask for", src.name, t.MaxPositions, r.longest())
	}
	tensors, closing, err := src.weights()
	if err != nil {
		return nil, err
	}
	defer closing()
	in := inspect(src.name, cfg, tensors)
	model := &latencyModel{Model: src.name, ModelType: cfg.ModelType, Layers: cfg.NumHiddenLayers, Hidden: cfg.HiddenSize,
		Parameters: in.Parameters, Device: e.Device().Name, head: e.describe()}
	state, err := e.NewState()
	if err != nil {
		return nil, err
	}
	return &latencyRun{engine: e, report: model, state: state, generate: r.Generate,
		random: rand.New(rand.NewPCG(c.Uint64("seed"), 0))}, nil
}

func (run *latencyRun) close(err *error) {
	run.state.Close()
	run.engine.close(err)
}

// tokens are the next of the prompt.
func (run *latencyRun) tokens(n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = run.random.Int32N(int32(run.Config().VocabSize))
	}
	return ids
}

// warmUp runs every program once, which compiles it, and forgets what it read. The measured prompt
// does not begin alike.
func (run *latencyRun) warmUp(ctx context.Context) error {
	n := run.Chunk()
	if t := run.Config().Transformer; t != nil {
		n = min(n, t.MaxPositions-run.generate)
	}
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
	for _, err := range run.Generate(ctx, branch, nil, memmamba.GenerateOptions{MaxTokens: run.generate + 1, Stop: []int32{}}) {
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
