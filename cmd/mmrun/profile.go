package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mmrun/mmrun/memmamba"
)

// opProfile is where the device's time goes in one test.
type opProfile struct {
	Test   string     `json:"test"`
	Tokens int        `json:"tokens"`
	Time   float64    `json:"time_s"` // of all ops
	Ops    []opReport `json:"ops"`    // slowest first
}

type opReport struct {
	Op     string  `json:"op"`
	Calls  int     `json:"calls"`
	Time   float64 `json:"time_s"`
	Share  float64 `json:"share"` // of the time of all ops, 0 to 1
	GBs    float64 `json:"gb_per_s"`
	GFLOPs float64 `json:"gflop_per_s"`
}

// profile measures the ops for the given tokens from a fresh state.
func (b *benchmark) profile(ctx context.Context, test string, tokens []int32) error {
	if len(tokens) == 0 {
		return nil
	}
	var times []memmamba.OpTime
	for range 2 { // the first builds what measuring needs
		if err := b.state.Reset(); err != nil {
			return err
		}
		var err error
		if times, err = b.Profile(ctx, b.state, tokens); err != nil {
			return err
		}
	}
	b.profiles = append(b.profiles, summarize(test, len(tokens), times))
	return nil
}

func summarize(test string, tokens int, times []memmamba.OpTime) *opProfile {
	var all time.Duration
	for _, t := range times {
		all += t.Time
	}
	p := &opProfile{Test: test, Tokens: tokens, Time: all.Seconds()}
	for _, t := range times {
		r := opReport{Op: t.Op, Calls: t.Calls, Time: t.Time.Seconds()}
		if t.Time > 0 {
			r.Share = r.Time / p.Time
			r.GBs = float64(t.Bytes) / r.Time / 1e9
			r.GFLOPs = float64(t.Flops) / r.Time / 1e9
		}
		p.Ops = append(p.Ops, r)
	}
	slices.SortStableFunc(p.Ops, func(a, b opReport) int { return cmp.Compare(b.Time, a.Time) })
	return p
}

func (p *opProfile) table() string {
	t := newTable("op", ">calls", ">ms", ">share", ">GB/s", ">GFLOP/s")
	for _, op := range p.Ops {
		t.add(op.Op, fmt.Sprint(op.Calls), fmt.Sprintf("%.3f", 1e3*op.Time), fmt.Sprintf("%.1f%%", 100*op.Share),
			fmt.Sprintf("%.2f", op.GBs), fmt.Sprintf("%.2f", op.GFLOPs))
	}
	t.add("all", "", fmt.Sprintf("%.3f", 1e3*p.Time), "", "", "")
	return fmt.Sprintf("device time of every op, %s, %d tokens\n%s", p.Test, p.Tokens, t)
}
