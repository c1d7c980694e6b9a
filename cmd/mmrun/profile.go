package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mmrun/mmrun/engine/probe"
)

// opProfile is where the device's time goes in one test.
type opProfile struct {
	Test   string     `json:"test"`
	Tokens int        `json:"tokens"`
	Time   float64    `json:"time_s"`                 // of all ops
	Least  float64    `json:"least_time_s,omitempty"` // of all ops at the device's limits
	Ops    []opReport `json:"ops"`                    // slowest first
}

type opReport struct {
	Op     string  `json:"op"`
	Calls  int     `json:"calls"`
	Time   float64 `json:"time_s"`
	Share  float64 `json:"share"` // of the time of all ops, 0 to 1
	GBs    float64 `json:"gb_per_s"`
	GFLOPs float64 `json:"gflop_per_s"`

	Bound   string  `json:"bound,omitempty"`    // by what the device limits it: memory or compute
	OfLimit float64 `json:"of_limit,omitempty"` // the least time at that limit over the time it took

	bytes, flops int64
}

// profile measures the ops for the given tokens from a fresh state. Of each the quickest run counts,
// since other programs can only make it slower, and what is quick is run more often.
func (b *benchmark) profile(ctx context.Context, test string, tokens []int32) error {
	if len(tokens) == 0 {
		return nil
	}
	var best []probe.OpTime
	start := time.Now()
	for i := 0; i <= b.runs || time.Since(start) < profileAtLeast; i++ {
		if err := b.state.Reset(); err != nil {
			return err
		}
		times, err := probe.Profile(ctx, b.Model, b.state, tokens)
		if err != nil {
			return err
		}
		switch i {
		case 0: // builds what measuring needs
		case 1:
			best = times
		default:
			for j, t := range times {
				best[j].Time = min(best[j].Time, t.Time)
			}
		}
	}
	b.profiles = append(b.profiles, summarize(test, len(tokens), best))
	return nil
}

const profileAtLeast = time.Second

func summarize(test string, tokens int, times []probe.OpTime) *opProfile {
	var all time.Duration
	for _, t := range times {
		all += t.Time
	}
	p := &opProfile{Test: test, Tokens: tokens, Time: all.Seconds()}
	for _, t := range times {
		r := opReport{Op: t.Op, Calls: t.Calls, Time: t.Time.Seconds(), bytes: t.Bytes, flops: t.Flops}
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
	headings := []string{"op", ">calls", ">ms", ">share", ">GB/s", ">GFLOP/s"}
	if p.Least > 0 {
		headings = append(headings, "bound by", ">of limit")
	}
	t := newTable(headings...)
	for _, op := range p.Ops {
		row := []string{op.Op, fmt.Sprint(op.Calls), fmt.Sprintf("%.3f", 1e3*op.Time), fmt.Sprintf("%.1f%%", 100*op.Share),
			fmt.Sprintf("%.2f", op.GBs), fmt.Sprintf("%.2f", op.GFLOPs)}
		if p.Least > 0 {
			row = append(row, op.Bound, fmt.Sprintf("%.1f%%", 100*op.OfLimit))
		}
		t.add(row...)
	}
	row := []string{"all", "", fmt.Sprintf("%.3f", 1e3*p.Time), "", "", ""}
	if p.Least > 0 {
		row = append(row, "", fmt.Sprintf("%.1f%%", 100*p.Least/p.Time))
	}
	t.add(row...)
	return fmt.Sprintf("device time of every op, %s, %d tokens\n%s", p.Test, p.Tokens, t)
}
