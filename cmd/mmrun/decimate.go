package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/engine"
)

// leastTokens are those that DeciMamba always lets stay (arXiv 2406.14528, section 4).
const leastTokens = 20

// decimateFlags have layers drop tokens of prompts.
func decimateFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "decimate", Category: "Dropped tokens",
			Usage: "have `LAYERS`, such as 12 or 12,13, drop tokens of a prompt (DeciMamba), for themselves and every later layer: of a plain Mamba alone"},
	}, decimateSizes()...)
}

// decimateSizes say how many tokens stay.
func decimateSizes() []cli.Flag {
	const category = "Dropped tokens"
	return []cli.Flag{
		&cli.IntFlag{Name: "decimate-base", Category: category, Value: 2000, Usage: "the first of these layers lets `N` tokens stay"},
		&cli.Float64Flag{Name: "decimate-beta", Category: category, Value: 0.5, Usage: "and each later one `B` times as many as the one before"},
		&cli.IntFlag{Name: "decimate-keep", Category: category, Value: 1, Usage: "beside the last `K` tokens of the prompt, which always stay"},
	}
}

// decimation is what decimateFlags ask for, nil if nothing.
func decimation(c *cli.Context) (*engine.Decimation, error) {
	if !c.IsSet("decimate") {
		return nil, nil
	}
	layers, err := wholeNumbers("--decimate", c.String("decimate"), 0, mostSize)
	if err != nil {
		return nil, err
	}
	d := dropped(c)
	d.Layers = layers
	return &d, checkDropped(c)
}

// dropped is what decimateSizes say, of no layer yet.
func dropped(c *cli.Context) engine.Decimation {
	return engine.Decimation{Base: c.Int("decimate-base"), Beta: c.Float64("decimate-beta"), Least: leastTokens, Keep: c.Int("decimate-keep")}
}

// checkDropped finds what is wrong with decimateSizes.
func checkDropped(c *cli.Context) error {
	if beta := c.Float64("decimate-beta"); !(beta > 0 && beta <= 1) {
		return usagef("--decimate-beta: %g is not above 0, to 1", beta)
	}
	return nil
}

// checkDecimation finds what is wrong with decimateFlags.
func checkDecimation(c *cli.Context) error {
	for _, name := range []string{"decimate-base", "decimate-beta", "decimate-keep"} {
		if c.IsSet(name) && !c.IsSet("decimate") {
			return usagef("--%s needs --decimate", name)
		}
	}
	_, err := decimation(c)
	return err
}

// fits refuses layers that a model has not.
func fits(d *engine.Decimation, src source) error {
	if d == nil {
		return nil
	}
	config, err := src.config()
	if err != nil {
		return err
	}
	if err := d.Check(config.Sizes().Layers); err != nil {
		return fmt.Errorf("%s: --decimate: %w", src.Name(), err)
	}
	return nil
}

// decimate reads a whole prompt from an empty state, tokens being dropped on the way.
func (e *opened) decimate(ctx context.Context, state *engine.State, prompt []int32, d engine.Decimation, progress func(done, total int)) ([]engine.Kept, error) {
	kept, err := e.Decimate(ctx, state, prompt, d, progress)
	if err != nil {
		return nil, fmt.Errorf("%s: --decimate: %w", e.source.Name(), err)
	}
	return kept, nil
}

// keptReport is how many tokens of a prompt a layer let stay, as --json prints it.
type keptReport struct {
	Layer  int `json:"layer"`
	Tokens int `json:"tokens"`
}

func keptReports(kept []engine.Kept) (all []keptReport) {
	for _, k := range kept {
		all = append(all, keptReport{k.Layer, len(k.Positions)})
	}
	return all
}
