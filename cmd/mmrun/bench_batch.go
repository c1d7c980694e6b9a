package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/engine"
)

// counts are the numbers that --batch or --clients asks to measure.
func counts(c *cli.Context, name, of string, most int) ([]int, error) {
	if !c.IsSet(name) {
		return nil, nil
	}
	if c.Int("n-gen") == 0 {
		return nil, usagef("-n 0 leaves nothing to measure with --%s", name)
	}
	var all []int
	for _, field := range strings.Split(c.String(name), ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 1 || n > most {
			return nil, usagef("--%s: %q is not a number of %s from 1 to %d", name, field, of, most)
		}
		all = append(all, n)
	}
	return all, nil
}

// measureBatch measures n tokens of each of the given number of sequences that are generated together.
func (b *benchmark) measureBatch(ctx context.Context, sequences, n int) error {
	scheduler, err := b.NewScheduler(engine.SchedulerOptions{Places: sequences})
	if err != nil {
		return err
	}
	defer scheduler.Close()
	test := fmt.Sprintf("batch %d", sequences)
	result := &benchResult{Test: test, Tokens: sequences * n, Batch: sequences}
	progress := b.console.progress(test, runWords)
	defer b.console.clear()
	for i := range b.runs + 1 {
		took, err := b.runBatch(ctx, scheduler, sequences, n)
		if err != nil {
			return err
		}
		if i > 0 { // the first run compiles and warms caches
			result.Samples = append(result.Samples, perSecond(result.Tokens, took))
		}
		progress(int64(i+1), int64(b.runs+1))
	}
	result.Mean, result.Deviation = meanDeviation(result.Samples)
	result.Best = slices.Max(result.Samples)
	b.results = append(b.results, result)
	return nil
}

// runBatch has sequences of one token, each another, generate n each, and returns how long that took with the
// reading of the tokens.
func (b *benchmark) runBatch(ctx context.Context, scheduler *engine.Scheduler, sequences, n int) (time.Duration, error) {
	first, start := b.randomTokens(sequences), time.Now()
	o := engine.GenerateOptions{MaxTokens: n, Stop: []int32{}}
	var streams []*engine.Stream
	for i := range sequences {
		stream, err := scheduler.Submit(ctx, engine.Request{Prompt: first[i : i+1], Options: o, LogProbs: -1})
		if err != nil {
			return 0, err
		}
		streams = append(streams, stream)
	}
	for _, stream := range streams {
		if err := drained(stream, func() {}); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}
