package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	of          map[*engine.Sequence]*batchLine
	begun       int // lines that have joined
	printed     int
	ended       int
	generated   int           // tokens
	took        time.Duration // for them
	memory      int64         // of the device, at the most
	print       func(value any) error
}

// batchLine is one line's text.
type batchLine struct {
	text           *mmrun.Text // nil when it is printed
	prompt         []int32
	fed            int // its tokens
	joined         time.Time
	read, generate time.Duration
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

// batchTimings are in seconds and tokens per second; a text's time to generate is shared with others.
type batchTimings struct {
	Prompt       float64 `json:"prompt_s"`
	Generate     float64 `json:"generate_s"`
	PromptRate   float64 `json:"prompt_tokens_per_s"`
	GenerateRate float64 `json:"generate_tokens_per_s"`
}

func batchAction(c *cli.Context) (err error) {
	b := &batchRun{generation: &generation{}, of: map[*engine.Sequence]*batchLine{}, print: func(value any) error { return printJSON(c, value) }}
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
	b.options.Sample.Vocab = b.tok.VocabSize() // rows beyond it are padding
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
	if n := c.Int("batch-size"); n > engine.MaxBatch {
		return usagef("--batch-size: %d is more than %d", n, engine.MaxBatch)
	}
	return cmp.Or(noArguments(c), atLeast(c, "batch-size", 1), atLeast(c, "max-tokens", 1), b.generation.readFlags(c))
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
		b.lines = append(b.lines, &batchLine{text: mmrun.NewText(b.tok, b.stop), prompt: ids, fed: len(ids)})
	}
	return nil
}

// run continues all lines, so many at a time: when one has ended the next takes its place.
func (b *batchRun) run(ctx context.Context, size int) error {
	batch, err := b.NewBatch(size)
	if err != nil {
		return err
	}
	defer batch.Close()
	prompts, err := b.NewState()
	if err != nil {
		return err
	}
	defer prompts.Close()
	b.memory = b.Memory().Allocated
	progress := b.console.progress("batch", b.words)
	for b.ended < len(b.lines) && err == nil {
		if err = b.join(ctx, batch, prompts); err == nil {
			err = b.next(ctx, batch)
		}
		progress(int64(b.ended), int64(len(b.lines)))
	}
	if errors.Is(err, context.Canceled) {
		return cmp.Or(b.interrupt(), err)
	}
	return err
}

// join begins lines as long as there is room.
func (b *batchRun) join(ctx context.Context, batch *engine.Batch, prompts *engine.State) error {
	for b.begun < len(b.lines) && batch.Room() > 0 {
		line, start := b.lines[b.begun], time.Now()
		if err := prompts.Reset(); err != nil {
			return err
		}
		q, err := batch.Join(ctx, prompts, line.prompt, b.options)
		if err != nil {
			return err
		}
		line.joined = time.Now()
		line.read = line.joined.Sub(start)
		b.of[q] = line
		b.begun++
	}
	return nil
}

// next takes a token of every sequence, and prints what has ended.
func (b *batchRun) next(ctx context.Context, batch *engine.Batch) error {
	start := time.Now()
	fresh, err := batch.Next(ctx)
	b.took += time.Since(start)
	if err != nil {
		return err
	}
	for _, q := range fresh {
		line := b.of[q]
		if !q.Stopped {
			b.generated++
			line.text.Add(q.Token)
		}
		if line.text.Finish == "" && !q.Ended {
			continue
		}
		batch.Leave(q)
		delete(b.of, q)
		b.end(line, false)
	}
	return b.printEnded()
}

func (b *batchRun) end(line *batchLine, interrupted bool) {
	line.generate = time.Since(line.joined)
	b.ended++
	line.text.End(b.options.MaxTokens, interrupted, false)
}

// printEnded prints the lines that have ended, as far as all before them have.
func (b *batchRun) printEnded() error {
	for ; b.printed < b.begun && b.lines[b.printed].text.Finish != ""; b.printed++ {
		line := b.lines[b.printed]
		err := b.print(batchReport{
			Index: b.printed, Seed: b.options.Sample.Seed,
			PromptTokens: append([]int32{}, line.prompt...), Tokens: append([]int32{}, line.text.Tokens...),
			Text: line.text.String(), FinishReason: string(line.text.Finish),
			Timings: batchTimings{
				Prompt: line.read.Seconds(), Generate: line.generate.Seconds(),
				PromptRate: perSecond(len(line.prompt), line.read), GenerateRate: perSecond(max(0, len(line.text.Tokens)-1), line.generate),
			},
		})
		if err != nil {
			return err
		}
		line.text, line.prompt = &mmrun.Text{Finish: line.text.Finish}, nil // the texts of a long file are not kept
	}
	return nil
}

// interrupt ends the lines under way and prints them with those that have ended.
func (b *batchRun) interrupt() error {
	for _, line := range b.lines[:b.begun] {
		if line.text.Finish == "" {
			b.end(line, true)
		}
	}
	return b.printEnded()
}

// words words the progress.
func (b *batchRun) words(done, total int64, _ time.Duration) string {
	return fmt.Sprintf("%d of %d texts, %d tokens, %.1f tok/s", done, total, b.generated, perSecond(b.generated, b.took))
}

// note prints the closing line.
func (b *batchRun) note() {
	tokens, read := 0, time.Duration(0)
	for _, line := range b.lines[:b.begun] {
		tokens += line.fed
		read += line.read
	}
	b.console.note(fmt.Sprintf("load %.2f s · %d texts · prompts %d tokens, %.1f tok/s · generated %d tokens, %.1f tok/s · memory %s",
		b.load.Seconds(), b.printed, tokens, perSecond(tokens, read), b.generated, perSecond(b.generated, b.took), formatBytes(b.memory)))
}
