package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/internal/experiment/corpus"
	"github.com/mmrun/mmrun/internal/experiment/retrieval"
	"github.com/mmrun/mmrun/internal/plot"
	"github.com/mmrun/mmrun/tokenizer"
)

func dropLayerCommand() *cli.Command {
	return &cli.Command{
		Name:      "droplayer",
		Category:  groupExperiments,
		Usage:     "which layer of a Mamba may drop tokens of a prompt (DeciMamba)",
		UsageText: "mmrun droplayer [--length N] [--decimate-base N] [--trials N] [--json] [FLAGS]",
		Description: `Puts the prompts of 'mmrun passkey' to a plain Mamba, without --decimate and then with each of its layers as the one that drops tokens. The layer found is the last one whose tokens still carry the key: of those whose accuracy is the best, or so near it that the 95% interval (Wilson) reaches it, the last. Take a length at which the model begins to fail without dropping: at one that it can do, the last layer of all loses nothing and gains nothing. To compare models fairly, take other seeds to find the layer than to measure with it.

With --json the output is one object: model, device, seed, length, depths, trials, base, keep, layer (the one that was found; left out if no key was), none (accuracy, low, high, right and trials without dropping) and layers with the same for each layer.

Examples:
mmrun droplayer --model models/novels-twin --length 8192 --decimate-base 1000 --decimate-keep 64
mmrun passkey --model models/novels-twin --decimate 12 --decimate-base 1000 --decimate-keep 64 --seed 7`,
		Flags: slices.Concat([]cli.Flag{
			&cli.IntFlag{Name: "length", Category: "Measurement", Value: 4000, Usage: "prompts of `N` tokens"},
			&cli.IntFlag{Name: "depths", Category: "Measurement", Value: 5, Usage: "hide the key at `N` depths"},
			&cli.IntFlag{Name: "trials", Category: "Measurement", Value: 4, Usage: "ask `N` times at each depth"},
			&cli.Uint64Flag{Name: "seed", Category: "Measurement", Value: 1, Usage: "`NUMBER` that the prompts follow from"},
			jsonFlag("print one JSON object instead of a table"),
		}, decimateSizes(), engineFlags()),
		Action: dropLayerAction,
	}
}

// dropLayerReport is what --json prints.
type dropLayerReport struct {
	Model  string           `json:"model"`
	Device string           `json:"device"`
	Seed   uint64           `json:"seed"`
	Length int              `json:"length"`
	Depths int              `json:"depths"`
	Trials int              `json:"trials"`
	Base   int              `json:"base"`
	Keep   int              `json:"keep"`
	Layer  *int             `json:"layer,omitempty"`
	None   score            `json:"none"`
	Layers []dropLayerScore `json:"layers"`
	head   string
}

type dropLayerScore struct {
	Layer   int     `json:"layer"`
	Seconds float64 `json:"seconds"`
	score
}

func dropLayerAction(c *cli.Context) error {
	err := cmp.Or(noArguments(c), checkEngineFlags(c), checkDropped(c))
	if err != nil {
		return err
	}
	src, err := sourceOf(c)
	if err != nil {
		return err
	}
	r := &dropLayerReport{Seed: c.Uint64("seed"), Length: c.Int("length"), Depths: c.Int("depths"), Trials: c.Int("trials"),
		Base: c.Int("decimate-base"), Keep: c.Int("decimate-keep")}
	err = withModel(c, src, func(e *opened, tok *tokenizer.Tokenizer, encode corpus.Encoder) error {
		return r.measure(c, e, tok, encode)
	})
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, r)
	}
	return printText(c, r.text())
}

// measure asks without dropping and with every layer that may drop.
func (r *dropLayerReport) measure(c *cli.Context, e *opened, tok *tokenizer.Tokenizer, encode corpus.Encoder) error {
	task, err := retrieval.NewPasskey(encode, nil)
	if err != nil {
		return err
	}
	trials := make([][]retrieval.Prompt, r.Trials)
	var total int64
	for i := range trials {
		if trials[i], err = task.Prompts(r.Seed, r.Length, r.Depths, i); err != nil {
			return err
		}
		total += e.toRead(trials[i]) + int64(r.Length*r.Depths*e.Sizes().Layers)
	}
	a, err := e.newAsking(tok, total)
	if err != nil {
		return err
	}
	defer a.close()
	r.Model, r.Device, r.head = e.source.Name(), e.Device().Name, e.describe()
	ctx, drop := signalsOf(c).ctx, dropped(c)
	for l := range e.Sizes().Layers {
		drop.Layers, e.drop = []int{l}, &drop
		start := time.Now()
		found, err := a.score(ctx, trials)
		if err != nil {
			return err
		}
		r.Layers = append(r.Layers, dropLayerScore{l, time.Since(start).Seconds(), found})
		e.console.note(fmt.Sprintf("layer %d: %s of %d right", l, plot.Percent(found.Accuracy), found.Trials))
	}
	e.drop = nil
	r.None, err = a.score(ctx, trials)
	r.Layer = lastCarrier(r.Layers)
	return err
}

// score puts the prompts of several trials to the model and counts right answers.
func (a *asking) score(ctx context.Context, trials [][]retrieval.Prompt) (score, error) {
	right, all := 0, 0
	for _, prompts := range trials {
		replies, err := a.ask(ctx, prompts)
		if err != nil {
			return score{}, err
		}
		for _, r := range replies {
			if all++; r.Right {
				right++
			}
		}
	}
	return scoreOf(right, all), nil
}

// lastCarrier is the last layer whose accuracy's interval reaches the best accuracy; nil if no key was found.
func lastCarrier(layers []dropLayerScore) (last *int) {
	best := 0.0
	for _, l := range layers {
		best = max(best, l.Accuracy)
	}
	for _, l := range layers {
		if best > 0 && l.High >= best {
			last = new(l.Layer)
		}
	}
	return last
}

func (r *dropLayerReport) text() string {
	var text strings.Builder
	text.WriteString(r.head)
	fmt.Fprintf(&text, "prompts %d tokens, %d at each of %d depths, seed %d; %d tokens and the last %d stay\n\n",
		r.Length, r.Trials, r.Depths, r.Seed, r.Base, r.Keep)
	t := newTable(">layer", ">accuracy", ">low", ">high", ">seconds")
	t.add(append(append([]string{"none"}, r.None.cells()...), "")...)
	for _, l := range r.Layers {
		t.add(append(append([]string{fmt.Sprint(l.Layer)}, l.cells()...), fmt.Sprintf("%.1f", l.Seconds))...)
	}
	text.WriteString(t.String())
	if r.Layer == nil {
		text.WriteString("\nno layer: no key was found\n")
	} else {
		fmt.Fprintf(&text, "\nlayer %d is the last whose tokens still carry the key: --decimate %d\n", *r.Layer, *r.Layer)
	}
	return text.String()
}
