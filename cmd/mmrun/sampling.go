package main

import (
	"math"
	"math/rand/v2"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/sample"
)

func samplingFlags() []cli.Flag {
	const category = "Sampling"
	return []cli.Flag{
		&cli.Float64Flag{Name: "temp", Aliases: []string{"temperature"}, Category: category, Value: 0.8,
			Usage: "temperature `T`; 0 always takes the most probable token"},
		&cli.IntFlag{Name: "top-k", Category: category, Value: 40, Usage: "choose among the `K` most probable tokens; 0 for all"},
		&cli.Float64Flag{Name: "top-p", Category: category, Value: 0.95,
			Usage: "choose among the most probable tokens that together reach `P`; 1 for all, 0 for the most probable alone"},
		&cli.Float64Flag{Name: "min-p", Category: category, Value: 0.05,
			Usage: "choose among tokens at least `P` times as probable as the first; 0 for all"},
		&cli.Float64Flag{Name: "repeat-penalty", Category: category, Value: 1,
			Usage: "divide the odds of each of the last 64 tokens by `R`; 1 for not at all"},
		&cli.Uint64Flag{Name: "seed", Aliases: []string{"s"}, Category: category, DefaultText: "a new one each time",
			Usage: "`SEED` of the random choices: the same seed gives the same text"},
		threadsFlag(),
	}
}

// flagSampling are the options of the flags and their defaults.
func flagSampling(c *cli.Context) (sample.Options, error) {
	t, _, err := temperature(c)
	if err != nil {
		return sample.Options{}, err
	}
	noteThreads(c)
	o := sample.Options{Temperature: t, TopK: c.Int("top-k"), TopP: c.Float64("top-p"), MinP: c.Float64("min-p"),
		RepeatPenalty: c.Float64("repeat-penalty"), Seed: c.Uint64("seed")}
	if !c.IsSet("seed") {
		o.Seed = uint64(rand.Uint32()) // short, and exact in every JSON reader
	}
	if o.TopP == 0 { // the strictest value, where an option's 0 is all
		o.TopP = math.SmallestNonzeroFloat64
	}
	if err := o.Validate(); err != nil {
		return o, usagef("%s", strings.TrimPrefix(err.Error(), "sample: "))
	}
	return o, nil
}

// modelSampling puts what the model's maker says in place of the defaults of flags that are not given.
func modelSampling(c *cli.Context, o *sample.Options, said engine.Sampling) {
	if _, set, _ := temperature(c); set {
		said.Temperature = nil
	}
	for flag, forget := range map[string]func(){
		"top-k":          func() { said.TopK = nil },
		"top-p":          func() { said.TopP = nil },
		"min-p":          func() { said.MinP = nil },
		"repeat-penalty": func() { said.RepeatPenalty = nil },
	} {
		if c.IsSet(flag) {
			forget()
		}
	}
	said.Apply(o)
}
