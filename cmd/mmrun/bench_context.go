package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/mmrun/mmrun/engine"
)

// contextPoint is a place in a long sequence from which tests start.
type contextPoint struct {
	Context int     `json:"context"`                     // tokens before it
	Rate    float64 `json:"read_tokens_per_s,omitempty"` // of reading on from the place before
	Host    int64   `json:"host_bytes,omitempty"`        // resident memory of the process; not known on every system
	Device  int64   `json:"device_bytes"`

	saved []byte // the state
}

// mostContext leaves room for the tests in the longest sequence there may be, of 2³² tokens.
const mostContext = 1 << 31

// contextFlag reads --context into places, the first one first.
func contextFlag(list string) ([]*contextPoint, error) {
	lengths, err := wholeNumbers("--context", list, 0, mostContext)
	if err != nil {
		return nil, err
	}
	slices.Sort(lengths)
	points := make([]*contextPoint, len(lengths))
	for i, n := range lengths {
		points[i] = &contextPoint{Context: n}
	}
	return points, nil
}

// walk reads random tokens from the first place to the last, and keeps the state at each.
func (b *benchmark) walk(ctx context.Context) error {
	last := b.points[len(b.points)-1].Context
	tokens := b.randomTokens(min(last, 1<<16))
	progress := b.console.progress("context", tokenWords)
	defer b.console.clear()
	at := 0
	for i, p := range b.points {
		from, start := at, time.Now()
		for at < p.Context {
			piece := tokens[at%len(tokens):]
			piece = piece[:min(len(piece), p.Context-at, engine.MaxChunk)]
			if _, err := b.Forward(ctx, b.state, piece); err != nil {
				return err
			}
			at += len(piece)
			progress(int64(at), int64(last))
		}
		p.Rate = perSecond(at-from, time.Since(start))
		keep := b.points[i : i+1]
		if i == 0 { // all that keeping takes is taken now, so that later it does not look like growth
			keep = b.points
		}
		for _, k := range keep {
			saved, err := b.state.MarshalBinary()
			if err != nil {
				return err
			}
			k.saved = append(k.saved[:0], saved...)
		}
		p.Host, p.Device = hostMemory(), b.Memory().Allocated
	}
	return nil
}

// hostMemory is what the process has in memory once Go's heap has no garbage, in bytes; 0 where the
// system does not tell.
func hostMemory() int64 {
	debug.FreeOSMemory()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(data)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// contextText is the walk for people; empty when tests start from nothing.
func (b *benchmark) contextText() string {
	if b.points[len(b.points)-1].Context == 0 {
		return ""
	}
	t := newTable(">context", ">read tokens/s", ">host memory", ">device memory")
	for _, p := range b.points {
		rate, host := "–", "–"
		if p.Rate > 0 {
			rate = fmt.Sprintf("%.2f", p.Rate)
		}
		if p.Host > 0 {
			host = formatBytes(p.Host)
		}
		t.add(fmt.Sprint(p.Context), rate, host, formatBytes(p.Device))
	}
	return t.String() + "\n"
}
