package main

import (
	"math"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/experiment/retrieval"
)

const (
	mostTokens    = 1 << 24       // of a prompt that is kept in memory as a whole
	mostGenerated = math.MaxInt32 // tokens of one answer
	mostRuns      = 100_000       // of one measurement, each of which is kept
	mostSize      = 1 << 20       // of a memory's settings, which config.json bounds further
	mostTime      = 24 * time.Hour
	mostKept      = 10 * 365 * mostTime // of a session
)

// bounds are the least and the most that whole numbers may be, by the name of their flag, and with the command's in front where
// it has other bounds than the rest.
var bounds = map[string][2]int{
	"chunk": {1, engine.MaxChunk}, "max-tokens": {0, mostGenerated}, "chat max-tokens": {1, mostGenerated},
	"batch-size": {1, engine.MaxBatch}, "top-k": {0, math.MaxInt32},
	"n-prompt": {0, mostTokens}, "n-gen": {0, mostTokens}, "repetitions": {1, mostRuns}, "places": {1, engine.MaxBatch},
	"max-context": {1, 1 << 30}, "max-concurrent": {1, engine.MaxBatch}, "max-queue": {0, 1 << 20}, "copies": {1, engine.MaxBatch},
	"decimate-base": {1, mostTokens}, "decimate-keep": {1, mostTokens},
	"length": {1, mostTokens}, "depths": {1, 1000}, "trials": {1, mostRuns}, "keys": {2, retrieval.MostDocuments},
	"tokens": {4, mostTokens}, "samples": {2, mostTokens}, "generate": {1, mostTokens}, "last": {1, mostTokens},
	"period": {1, mostSize}, "pool-size": {1, mostSize}, "pool-growth": {0, mostSize}, "pool-max": {1, mostSize},
	"summary-dim": {1, mostSize}, "window": {1, mostSize},
	"depth": {0, 100},
}

// bound has every number that is given to a command checked before the command runs: whole numbers by bounds, others must be
// finite, times above nothing.
func bound(cmd *cli.Command) {
	for _, flag := range cmd.Flags {
		switch f := flag.(type) {
		case *cli.IntFlag:
			b, own := bounds[cmd.Name+" "+f.Name]
			if !own {
				b = bounds[f.Name]
			}
			f.Action = func(_ *cli.Context, n int) error { return within("--"+f.Name, n, b[0], b[1]) }
		case *cli.Float64Flag:
			f.Action = func(_ *cli.Context, x float64) error {
				if math.IsNaN(x) || math.IsInf(x, 0) {
					return usagef("%s: %g is not a finite number", dashed(f.Name), x)
				}
				return nil
			}
		case *cli.DurationFlag:
			f.Action = func(_ *cli.Context, d time.Duration) error {
				most := mostTime
				if f.Name == "state-ttl" {
					most = mostKept
				}
				if d <= 0 || d > most {
					return usagef("--%s: %v is not above 0, to %v", f.Name, d, most)
				}
				return nil
			}
		}
	}
}

// within refuses a whole number out of its bounds.
func within(flag string, n, least, most int) error {
	switch {
	case n < least:
		return usagef("%s: %d is less than %d", flag, n, least)
	case n > most:
		return usagef("%s: %d is more than %d", flag, n, most)
	}
	return nil
}
