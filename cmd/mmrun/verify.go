package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/memmamba"
)

// greedyPrompt is how many tokens of a golden its greedy continuation follows.
const greedyPrompt = 32

func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Category:  groupCheck,
		Usage:     "compare a model's logits with a golden file, such as one from PyTorch",
		UsageText: "mmrun verify --golden FILE.safetensors [--atol A] [--rtol R] [FLAGS]",
		Description: `The golden file holds tokens [T] I32 and logits [T, vocab], the next-token logits after each token. Every number must be within atol + rtol·|want|. If the file has greedy [G] I32, the model must continue its first 32 tokens with exactly these when it always takes the most probable one. For a MemMamba model it may also have pool_count, reads, pool.N and importance.N, as 'mmrun logits' writes them.

The exit status is 1 when anything differs.

Examples:
mmrun verify --model exported --golden golden.safetensors
mmrun verify --model exported --golden golden.safetensors --chunk 7
mmrun verify --model half --golden float.safetensors --atol 0.02 --rtol 0.02`,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "golden", Category: "Input", Usage: "`FILE` to compare with"},
			&cli.Float64Flag{Name: "atol", Category: "Input", Value: 2e-4, DefaultText: "2e-4", Usage: "allow an error of `A`"},
			&cli.Float64Flag{Name: "rtol", Category: "Input", Value: 2e-4, DefaultText: "2e-4", Usage: "and of `R` times the size of the number"},
			jsonFlag("print one JSON object instead of a table"),
		}, engineFlags()),
		Action: verifyAction,
	}
}

func verifyAction(c *cli.Context) (err error) {
	limit := tolerance{c.Float64("atol"), c.Float64("rtol")}
	if err := cmp.Or(noArguments(c), checkEngineFlags(c), required(c, "golden")); err != nil {
		return err
	}
	if !(limit.atol >= 0 && limit.rtol >= 0) {
		return usagef("--atol %g and --rtol %g must not be negative", limit.atol, limit.rtol)
	}
	src, err := sourceOf(c)
	if err != nil {
		return err
	}
	cfg, err := src.config()
	if err != nil {
		return err
	}
	g, err := openGolden(c.String("golden"), cfg.VocabSize)
	if err != nil {
		return err
	}
	defer g.Close()
	layers := 0
	if cfg.Memory != nil {
		layers = cfg.NumHiddenLayers
	}
	if err := g.checkMemory(layers); err != nil {
		return err
	}
	e, err := openEngine(c, src)
	if err != nil {
		return err
	}
	defer e.close(&err)
	sig := signalsOf(c)
	sig.graceful()
	v := &verification{engine: e, golden: g, limit: limit}
	if err := v.run(sig.ctx); err != nil {
		return err
	}
	return v.report(c)
}

// verification is one run of the command.
type verification struct {
	*engine
	golden *golden
	limit  tolerance
	checks []*check
}

// check adds an empty comparison of a tensor.
func (v *verification) check(name string, columns int, units ...string) *check {
	c := &check{name: name, tolerance: v.limit, columns: max(columns, 1), units: [2]string(append(units, ""))}
	v.checks = append(v.checks, c)
	return c
}

func (v *verification) run(ctx context.Context) error {
	state, err := v.NewState()
	if err != nil {
		return err
	}
	defer state.Close()
	reads := v.recordReads(state)
	logits := v.check("logits", v.Config().VocabSize, "token", "logit")
	var want []float32
	err = v.forwardAll(ctx, state, v.golden.tokens, func(first int, got []float32) error {
		want = slices.Grow(want[:0], len(got))[:len(got)]
		if err := rows(v.golden.logits, first, want); err != nil {
			return err
		}
		logits.compare(got, want)
		return nil
	})
	if err != nil {
		return err
	}
	if v.golden.greedy != nil {
		if err := v.greedy(ctx); err != nil {
			return err
		}
	}
	return v.memory(state, *reads)
}

// greedy continues the golden's first tokens one by one, as generation does, whatever the
// end-of-text token is.
func (v *verification) greedy(ctx context.Context) error {
	state, err := v.NewState()
	if err != nil {
		return err
	}
	defer state.Close()
	want := v.golden.greedy
	check := v.check("greedy", 1, "token")
	logits, err := v.Forward(ctx, state, v.golden.tokens[:min(greedyPrompt, len(v.golden.tokens))])
	for i := 0; i < len(want) && err == nil; i++ {
		id := argmax(logits)
		check.compareInts([]int32{id}, want[i:i+1])
		logits, err = v.Forward(ctx, state, []int32{id})
	}
	return err
}

func argmax(values []float32) int32 {
	best := 0
	for i, v := range values {
		if v > values[best] {
			best = i
		}
	}
	return int32(best)
}

// memory compares what the golden says about a MemMamba model's pools and reads.
func (v *verification) memory(state *memmamba.State, reads []int32) error {
	cfg := v.Config()
	if cfg.Memory == nil {
		return nil
	}
	if v.golden.has("reads") {
		want, shape, err := v.golden.ints("reads", -1, cfg.NumHiddenLayers)
		if err != nil {
			return err
		}
		check := v.check("reads", cfg.NumHiddenLayers, "window", "layer")
		if len(reads) != len(want) {
			check.fail("%d windows, the golden has %d", len(reads)/cfg.NumHiddenLayers, shape[0])
		} else {
			check.compareInts(reads, want)
		}
	}
	layers, err := state.Memory()
	if err != nil {
		return err
	}
	if v.golden.has("pool_count") {
		want, _, err := v.golden.ints("pool_count", cfg.NumHiddenLayers)
		if err != nil {
			return err
		}
		counts := make([]int32, len(layers))
		for n, layer := range layers {
			counts[n] = int32(len(layer.Notes))
		}
		v.check("pool_count", 1, "layer").compareInts(counts, want)
	}
	for n, layer := range layers {
		if err := v.notes(n, layer.Notes); err != nil {
			return err
		}
	}
	return nil
}

// notes compares one layer's pool, note by note.
func (v *verification) notes(layer int, notes []memmamba.Note) error {
	var summaries, importance []float32
	for _, note := range notes {
		summaries = append(summaries, note.Summary...)
		importance = append(importance, note.Importance)
	}
	dim := v.Config().Memory.SummaryDim
	for _, t := range []struct {
		name  string
		got   []float32
		shape []int
		units []string
	}{
		{fmt.Sprintf("pool.%d", layer), summaries, []int{-1, dim}, []string{"note", "number"}},
		{fmt.Sprintf("importance.%d", layer), importance, []int{-1}, []string{"note"}},
	} {
		if !v.golden.has(t.name) {
			continue
		}
		tensor, err := v.golden.floats(t.name, t.shape...)
		if err != nil {
			return err
		}
		want, err := tensor.Float32s()
		if err != nil {
			return err
		}
		check := v.check(t.name, t.shape[len(t.shape)-1], t.units...)
		if len(t.got) != len(want) {
			check.fail("%d notes, the golden has %d", len(notes), tensor.Shape[0])
			continue
		}
		check.compare(t.got, want)
	}
	return nil
}

// verifyReport is what --json prints.
type verifyReport struct {
	OK     bool          `json:"ok"`
	Model  string        `json:"model"`
	Golden string        `json:"golden"`
	Device string        `json:"device"`
	Tokens int           `json:"tokens"`
	Atol   float64       `json:"atol"`
	Rtol   float64       `json:"rtol"`
	Checks []checkReport `json:"checks"`
}

// report prints the comparisons; it is an error when one failed.
func (v *verification) report(c *cli.Context) error {
	var failed []string
	for _, check := range v.checks {
		if !check.ok() {
			failed = append(failed, check.name)
		}
	}
	var err error
	if c.Bool("json") {
		err = printJSON(c, verifyReport{len(failed) == 0, v.source.name, v.golden.name, v.Device().Name,
			len(v.golden.tokens), v.limit.atol, v.limit.rtol, reportChecks(v.checks)})
	} else {
		err = printText(c, v.heading()+"\n"+checkTable(v.checks))
	}
	if err == nil && failed != nil {
		err = fmt.Errorf("%s differs from %s in %s", v.source.name, v.golden.name, strings.Join(failed, ", "))
	}
	return err
}

func (v *verification) heading() string {
	return v.describe() +
		fmt.Sprintf("golden  %s: %d tokens\n", v.golden.name, len(v.golden.tokens)) +
		fmt.Sprintf("within  %g + %g·|want|\n", v.limit.atol, v.limit.rtol)
}
