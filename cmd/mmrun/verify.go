package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/engine"
)

// greedyPrompt is how many tokens of a golden its greedy continuation follows.
const greedyPrompt = 32

func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Category:  groupCheck,
		Usage:     "compare a model's logits with a golden file, such as one from PyTorch",
		UsageText: "mmrun verify --golden FILE.safetensors [--atol A] [--rtol R] [FLAGS]",
		Description: `The golden file holds tokens [T] I32 and logits [T, vocab], the next-token logits after each token. Every number must be within atol + rtol·|want|. If the file has greedy [G] I32, the model must continue its first 32 tokens with exactly these when it always takes the most probable one. For a MemMamba model it may also have pool_count, reads, layer_reads, pool.N and importance.N, as 'mmrun logits' writes them.

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
	g, err := openGolden(c.String("golden"), cfg.Sizes().Vocab)
	if err != nil {
		return err
	}
	defer g.Close()
	if err := g.checkNames(cfg); err != nil {
		return err
	}
	e, err := openEngine(c, src)
	if err != nil {
		return err
	}
	defer e.close(&err)
	sig := signalsOf(c)
	sig.graceful()
	v := &verification{opened: e, golden: g, limit: limit}
	if err := v.run(sig.ctx); err != nil {
		return err
	}
	return v.report(c)
}

// verification is one run of the command.
type verification struct {
	*opened
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
	recorded := v.record(state)
	logits := v.check("logits", v.Sizes().Vocab, "token", "logit")
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
	records, err := recorded()
	if err != nil {
		return err
	}
	for _, r := range records {
		if err := v.compareRecord(r); err != nil {
			return err
		}
	}
	return nil
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

// compareRecord compares what a sequence left besides logits, if the golden has it.
func (v *verification) compareRecord(r engine.Record) error {
	if !v.golden.has(r.Name) {
		return nil
	}
	shape := slices.Clone(r.Shape)
	shape[0] = -1 // a number that may differ is a comparison that fails
	tensor, err := v.golden.shaped(r.Name, shape...)
	if err != nil {
		return err
	}
	check := v.check(r.Name, r.Shape[len(r.Shape)-1], r.Axes...)
	if len(r.Shape) == 1 {
		check.columns = 1
	}
	if tensor.Shape[0] != r.Shape[0] {
		check.fail("%d %ss, the golden has %d", r.Shape[0], r.Axes[0], tensor.Shape[0])
		return nil
	}
	if r.Ints != nil {
		want, err := tensor.Int32s()
		if err == nil {
			check.compareInts(r.Ints, want)
		}
		return err
	}
	want, err := tensor.Float32s()
	if err == nil {
		check.compare(r.Floats, want)
	}
	return err
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
		err = printJSON(c, verifyReport{len(failed) == 0, v.source.Name(), v.golden.name, v.Device().Name,
			len(v.golden.tokens), v.limit.atol, v.limit.rtol, reportChecks(v.checks)})
	} else {
		verdict := "all agree"
		if failed != nil {
			verdict = strings.Join(failed, ", ") + " differ"
		}
		err = printText(c, v.heading()+"\n"+checkTable(v.checks)+"\nverdict  "+verdict+"\n")
	}
	if err == nil && failed != nil {
		err = fmt.Errorf("%s differs from %s in %s", v.source.Name(), v.golden.name, strings.Join(failed, ", "))
	}
	return err
}

func (v *verification) heading() string {
	return v.describe() +
		fmt.Sprintf("golden  %s: %d tokens\n", v.golden.name, len(v.golden.tokens)) +
		fmt.Sprintf("within  %g + %g·|want|\n", v.limit.atol, v.limit.rtol)
}
