package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/engine/probe"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:      "bench",
		Category:  groupRun,
		Usage:     "measure tokens per second, and the time of every op",
		UsageText: "mmrun bench [-p TOKENS] [-n TOKENS] [-r RUNS] [--context N,...] [--batch N,...] [FLAGS]",
		Description: `Reads a prompt of random tokens and then generates one token after another, each time the most likely one. Both begin with a fresh state. The first run does not count; of the others it prints the mean, the standard deviation and the best. Other programs can only make a run slower.

With --context both begin where a sequence has that many tokens already. The lengths take turns in every run, so that other programs meet all of them alike. For each the memory of the process and of the device is shown.

With --ops it also measures on the device how long every op takes at best, for the prompt and for one token, and how fast it moves data and computes. With --limits it also measures how fast the device can read its memory and how fast it can multiply and add. It then shows how close every op comes: the least time in which its data can be moved or its result computed, whichever is longer, as a percentage of the time it took. An op whose data stays in the device's caches may be above 100%.

With --batch it also generates -n tokens of several sequences together, for every number of sequences, and prints how many tokens all of them get in a second.

With --clients it also has that many clients ask at once, each -r times for -n tokens after prompts of 1 to -p tokens. Short prompts are as frequent as long ones are long. It prints the tokens per second, the time to the first token and between two tokens, in the middle and of the slowest hundredth, and the longest time that a text has waited for the prompts of others.

Examples:
mmrun bench
mmrun bench --model ~/models/mamba-130m -p 2048 -n 64 -r 3
mmrun bench --ops -n 0
mmrun bench --context 1000,10000,100000
mmrun bench -p 0 -n 32 --batch 1,2,4,8,16,32,64
mmrun bench -p 4000 -n 64 -r 4 --clients 1,8,32
mmrun bench --limits -p 512 -n 32 -r 3
mmrun bench --json | jq '.results[] | {test, mean_tokens_per_s}'`,
		Flags: slices.Concat([]cli.Flag{
			&cli.IntFlag{Name: "n-prompt", Aliases: []string{"p"}, Category: "Measurement", Value: 512, Usage: "read a prompt of `N` tokens; 0 leaves it out"},
			&cli.IntFlag{Name: "n-gen", Aliases: []string{"n"}, Category: "Measurement", Value: 128, Usage: "generate `N` tokens; 0 leaves it out"},
			&cli.IntFlag{Name: "repetitions", Aliases: []string{"r"}, Category: "Measurement", Value: 5, Usage: "measure `N` times"},
			&cli.StringFlag{Name: "context", Category: "Measurement", Value: "0", Usage: "start after `N,N,...` tokens that the sequence has already"},
			&cli.StringFlag{Name: "batch", Category: "Measurement", Usage: "also measure `N,N,...` sequences together"},
		}, clientFlags(), []cli.Flag{
			&cli.BoolFlag{Name: "ops", Category: "Measurement", Usage: "also measure every op on the device"},
			&cli.BoolFlag{Name: "limits", Category: "Measurement", Usage: "also measure the device's limits and how close every op comes to them"},
			jsonFlag("print one JSON object instead of tables"),
		}, engineFlags()),
		Action: benchAction,
	}
}

func benchAction(c *cli.Context) (err error) {
	err = cmp.Or(noArguments(c), checkEngineFlags(c))
	if err != nil {
		return err
	}
	if c.Int("n-prompt")+c.Int("n-gen") == 0 {
		return usagef("-p 0 and -n 0 leave nothing to measure")
	}
	b := &benchmark{runs: c.Int("repetitions"), options: engine.SchedulerOptions{Places: c.Int("places"), MaxWait: c.Duration("max-wait")}}
	if err := b.readCounts(c); err != nil {
		return err
	}
	points, err := contextFlag(c.String("context"))
	if err != nil {
		return err
	}
	src, err := sourceOf(c)
	if err != nil {
		return err
	}
	e, err := openEngine(c, src)
	if err != nil {
		return err
	}
	defer e.close(&err)
	state, err := e.NewState()
	if err != nil {
		return err
	}
	defer state.Close()
	sig := signalsOf(c)
	sig.graceful()
	b.opened, b.state, b.points = e, state, points
	if c.Bool("limits") {
		b.limits = &probe.Limits{}
	}
	if err := b.run(sig.ctx, c.Int("n-prompt"), c.Int("n-gen"), c.Bool("ops")); err != nil {
		return err
	}
	return b.report(c)
}

// benchmark is one run of the command.
type benchmark struct {
	*opened
	state    *engine.State
	runs     int
	points   []*contextPoint // in order, one at least
	sizes    []int           // of batches
	crowds   []int           // numbers of clients
	options  engine.SchedulerOptions
	limits   *probe.Limits // when they were asked for
	results  []*benchResult
	clients  []*clientResult
	profiles []*opProfile
}

// benchResult is the speed of one test from one place on, in tokens per second of each run.
type benchResult struct {
	Test      string    `json:"test"`
	Context   int       `json:"context"`
	Tokens    int       `json:"tokens"`
	Batch     int       `json:"batch,omitempty"` // sequences
	Mean      float64   `json:"mean_tokens_per_s"`
	Deviation float64   `json:"deviation_tokens_per_s"`
	Best      float64   `json:"best_tokens_per_s"`
	Samples   []float64 `json:"samples_tokens_per_s"`
}

func (b *benchmark) run(ctx context.Context, promptTokens, genTokens int, ops bool) error {
	prompt, gen := b.randomTokens(promptTokens), b.randomTokens(min(1, genTokens))
	whole := func() error {
		_, err := b.Forward(ctx, b.state, prompt)
		return err
	}
	single := func() error {
		o := engine.GenerateOptions{MaxTokens: genTokens, Stop: []int32{}}
		for _, err := range b.Generate(ctx, b.state, gen, o) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := b.walk(ctx); err != nil {
		return err
	}
	if err := b.measure("prompt", promptTokens, whole); err != nil {
		return err
	}
	if err := b.measure("generate", genTokens, single); err != nil {
		return err
	}
	for _, n := range b.sizes {
		if err := b.measureBatch(ctx, n, genTokens); err != nil {
			return err
		}
	}
	for _, n := range b.crowds {
		if err := b.measureClients(ctx, b.options, n, max(1, promptTokens), genTokens); err != nil {
			return err
		}
	}
	if !ops && b.limits == nil {
		return nil
	}
	if err := b.measureLimits(); err != nil {
		return err
	}
	if err := b.profile(ctx, "prompt", prompt); err != nil {
		return err
	}
	if err := b.profile(ctx, "generate", gen); err != nil {
		return err
	}
	return b.measureLimits() // what else the machine does changes: the better of both counts
}

// randomTokens are the same in every run of the program.
func (b *benchmark) randomTokens(n int) []int32 {
	random := rand.New(rand.NewPCG(1, 2))
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = random.Int32N(int32(b.Sizes().Vocab))
	}
	return ids
}

// measure runs a test from every place once to warm up and then as often as asked.
func (b *benchmark) measure(test string, tokens int, run func() error) error {
	if tokens == 0 {
		return nil
	}
	results := make([]*benchResult, len(b.points))
	for i, p := range b.points {
		results[i] = &benchResult{Test: test, Context: p.Context, Tokens: tokens}
	}
	progress := b.console.progress(test, runWords)
	defer b.console.clear()
	for i := range b.runs + 1 {
		for j, p := range b.points {
			if err := b.state.UnmarshalBinary(p.saved); err != nil {
				return err
			}
			start := time.Now()
			if err := run(); err != nil {
				return err
			}
			if i > 0 { // the first run compiles and warms caches
				results[j].Samples = append(results[j].Samples, perSecond(tokens, time.Since(start)))
			}
		}
		progress(int64(i+1), int64(b.runs+1))
	}
	for _, r := range results {
		r.Mean, r.Deviation = meanDeviation(r.Samples)
		r.Best = slices.Max(r.Samples)
	}
	b.results = append(b.results, results...)
	return nil
}

func runWords(done, total int64, _ time.Duration) string {
	return fmt.Sprintf("run %d of %d", done, total)
}

// meanDeviation is the mean and the sample standard deviation, 0 for a single value.
func meanDeviation(values []float64) (mean, deviation float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		deviation += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(deviation / float64(max(1, len(values)-1)))
}

// benchReport is what --json prints.
type benchReport struct {
	Model   string         `json:"model"`
	Weights string         `json:"quantization,omitempty"`
	Device  string         `json:"device"`
	Driver  string         `json:"driver"`
	Chunk   int            `json:"chunk"`
	Load    float64        `json:"load_s"`
	Memory  memoryReport   `json:"memory"`
	Longest float64        `json:"longest_submission_ms"`
	Limits  *limitReport   `json:"limits,omitempty"`
	Results []*benchResult `json:"results"`

	Clients []*clientResult `json:"clients,omitempty"`

	Contexts []*contextPoint `json:"contexts"`
	Ops      []*opProfile    `json:"ops,omitempty"`
}

func (b *benchmark) report(c *cli.Context) error {
	info := b.Device()
	if c.Bool("json") {
		return printJSON(c, benchReport{b.source.Name(), b.Quantization(), info.Name, driverOf(info), b.Chunk(), b.load.Seconds(),
			b.memoryReport(), b.Longest().Seconds() * 1e3, b.limitReport(), b.results, b.clients, b.points, b.profiles})
	}
	text := b.describe() +
		fmt.Sprintf("memory  %s\nlongest %.1f ms of one submission\n\n", formatBytes(b.Memory().Allocated), b.Longest().Seconds()*1e3)
	t := newTable("test", ">context", ">tokens", ">tokens/s", ">±", ">best")
	for _, r := range b.results {
		t.add(r.Test, fmt.Sprint(r.Context), fmt.Sprint(r.Tokens), fmt.Sprintf("%.2f", r.Mean), fmt.Sprintf("%.2f", r.Deviation), fmt.Sprintf("%.2f", r.Best))
	}
	text += b.contextText() + t.String() + b.clientText() + b.limitText()
	for _, p := range b.profiles {
		text += "\n" + p.table()
	}
	return printText(c, text)
}
