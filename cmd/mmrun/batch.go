package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/tokenizer"
)

const defaultBatch = 8

func batchFlags() []cli.Flag {
	const category = "Batch"
	return []cli.Flag{
		&cli.StringFlag{Name: "batch", Category: category,
			Usage: "continue every line of `FILE` and print a JSON object for each; - reads standard input"},
		&cli.IntFlag{Name: "batch-size", Category: category, Value: defaultBatch,
			Usage: fmt.Sprintf("continue up to `N` lines together, at most %d", engine.MaxBatch)},
	}
}

// batchRun is one run of generate --batch.
type batchRun struct {
	*generation // with the options of all texts
	lines       []*batchLine
	printed     int
	took        time.Duration // for all
	stats       engine.SchedulerStats
	memory      int64 // of the device, at the most
	print       func(value any) error
}

// batchLine is one line's text.
type batchLine struct {
	text   *mmrun.Text // the scheduler's, until the stream has ended
	prompt []int32
	stream *engine.Stream
}

// batchReport is a line of the output.
type batchReport struct {
	Index        int          `json:"index"`
	Seed         uint64       `json:"seed"`
	PromptTokens []int32      `json:"prompt_tokens"`
	Tokens       []int32      `json:"tokens"`
	Text         string       `json:"text"`
	FinishReason string       `json:"finish_reason"`
	Timings      batchTimings `json:"timings"`
}

// batchTimings are in seconds and tokens per second; a text's time is shared with others.
type batchTimings struct {
	Prompt       float64 `json:"prompt_s"`
	Generate     float64 `json:"generate_s"`
	PromptRate   float64 `json:"prompt_tokens_per_s"`
	GenerateRate float64 `json:"generate_tokens_per_s"`
}

func batchAction(c *cli.Context) (err error) {
	b := &batchRun{generation: &generation{}, print: func(value any) error { return printJSON(c, value) }}
	if err := b.readFlags(c); err != nil {
		return err
	}
	in, err := readFile(c, c.String("batch"))
	if err != nil {
		return err
	}
	src, err := sourceOf(c)
	if err != nil {
		return err
	}
	prompts, err := in.lines()
	if err != nil {
		return err
	}
	encoded := make(chan error, 1)
	go func() { encoded <- b.encode(in.name, prompts, src) }()
	b.opened, err = openEngine(c, src)
	if err == nil {
		defer b.close(&err)
	}
	if err = cmp.Or(<-encoded, err); err != nil {
		return err
	}
	if err := b.checkLines(in.name, src); err != nil {
		return err
	}
	b.options.Sample.Vocab = b.tok.VocabSize() // rows beyond it are padding
	modelSampling(c, &b.options.Sample, b.Generation().Sampling)
	sig := signalsOf(c)
	sig.graceful()
	err = b.run(sig.ctx, min(c.Int("batch-size"), len(b.lines)))
	b.console.clear()
	if err == nil || errors.Is(err, context.Canceled) {
		b.note()
	}
	return err
}

// readFlags finds what is wrong with the command line before anything is opened.
func (b *batchRun) readFlags(c *cli.Context) error {
	for _, name := range []string{"prompt", "prompt-file", "state-load", "state-save"} {
		if err := exclusive(c, "batch", name); err != nil {
			return err
		}
	}
	if c.String("batch") == "" {
		return usagef("--batch needs the name of a file")
	}
	return cmp.Or(noArguments(c), within("--max-tokens", c.Int("max-tokens"), 1, mostGenerated), b.generation.readFlags(c))
}

// lines are the prompts in a file.
func (in input) lines() ([]string, error) {
	lines := strings.Split(strings.TrimSuffix(in.text, "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSuffix(line, "\r")
		if lines[i] == "" {
			return nil, fmt.Errorf("%s: line %d: the prompt is empty", in.name, i+1)
		}
	}
	return lines, nil
}

// encode reads the tokenizer and turns every line into tokens.
func (b *batchRun) encode(name string, prompts []string, src source) (err error) {
	if b.tok, err = src.tokenizer(); err != nil {
		return err
	}
	for i, prompt := range prompts {
		ids, err := b.tok.EncodeWith(prompt, tokenizer.Options{NoEnd: true})
		if err != nil {
			return fmt.Errorf("%s: line %d: %w", name, i+1, err)
		}
		b.lines = append(b.lines, &batchLine{text: mmrun.NewText(b.tok, b.stop), prompt: ids})
	}
	return nil
}

// checkLines finds what the model does not take, before anything is generated.
func (b *batchRun) checkLines(name string, src source) error {
	sizes := b.Sizes()
	for i, line := range b.lines {
		err := src.checkFit(line.prompt, sizes.Vocab)
		if n := int64(len(line.prompt)); err == nil && n > sizes.MaxTokens {
			err = &engine.TooLongError{Tokens: n, Most: sizes.MaxTokens}
		}
		if err != nil {
			return fmt.Errorf("%s: line %d: %w", name, i+1, err)
		}
	}
	return nil
}

// run continues all lines, several at a time: when one has ended the next takes its place.
func (b *batchRun) run(ctx context.Context, size int) error {
	scheduler, err := b.NewScheduler(engine.SchedulerOptions{Places: size})
	if err != nil {
		return err
	}
	defer scheduler.Close()
	start := time.Now()
	for _, line := range b.lines {
		options, err := b.optionsOfText()
		if err != nil {
			return err
		}
		line.stream, err = scheduler.Submit(ctx, engine.Request{Prompt: line.prompt, Options: options, LogProbs: -1, Until: func(token int32) bool {
			line.text.Add(token)
			return line.text.Finish != ""
		}})
		if err != nil {
			return err
		}
	}
	progress := b.console.progress("batch", b.words)
	tell := func() {
		b.stats, b.took = scheduler.Stats(), time.Since(start)
		b.memory = max(b.memory, b.Memory().Allocated)
		progress(int64(b.printed), int64(len(b.lines)))
	}
	for i, line := range b.lines {
		ended := drained(line.stream, tell)
		if ended != nil && !errors.Is(ended, context.Canceled) {
			return ended
		}
		err = cmp.Or(err, ended)
		if line.stream.Timings() != (engine.Timings{}) { // it got a place
			if err := b.end(i, ended != nil); err != nil {
				return err
			}
		}
		tell()
	}
	return err
}

// drained takes tokens until a stream ends, and returns why unless it is its natural end. They are in the line's
// text already.
func drained(stream *engine.Stream, each func()) error {
	for {
		_, err := stream.Next(context.Background())
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		each()
	}
}

// end prints a line that has ended.
func (b *batchRun) end(index int, interrupted bool) error {
	line, spent := b.lines[index], b.lines[index].stream.Timings()
	line.text.End(b.options.MaxTokens, interrupted, false)
	b.printed++
	err := b.print(batchReport{
		Index: index, Seed: b.options.Sample.Seed,
		PromptTokens: append([]int32{}, line.prompt...), Tokens: append([]int32{}, line.text.Tokens...),
		Text: line.text.String(), FinishReason: string(line.text.Finish),
		Timings: batchTimings{
			Prompt: spent.Prompt.Seconds(), Generate: spent.Generate.Seconds(),
			PromptRate: perSecond(spent.PromptTokens, spent.Prompt), GenerateRate: perSecond(spent.GeneratedTokens, spent.Generate),
		},
	})
	line.text, line.prompt, line.stream = nil, nil, nil // the texts of a long file are not kept
	return err
}

// words words the progress.
func (b *batchRun) words(done, total int64, _ time.Duration) string {
	return fmt.Sprintf("%d of %d texts, %d tokens, %.1f tok/s", done, total, b.stats.Generated, perSecond(int(b.stats.Generated), b.took))
}

// note prints the closing line.
func (b *batchRun) note() {
	b.console.note(fmt.Sprintf("load %.2f s · %d texts · prompts %d tokens · generated %d tokens, %.1f tok/s · memory %s",
		b.load.Seconds(), b.printed, b.stats.Prompt, b.stats.Generated, perSecond(int(b.stats.Generated), b.took), formatBytes(b.memory)))
}
