package main

import (
	"fmt"

	"github.com/mmrun/mmrun/engine/probe"
)

// limitReport is what the device can do at the best, and how close whole tests come.
type limitReport struct {
	GBs    float64            `json:"read_gb_per_s"`
	GFLOPs float64            `json:"fma_gflop_per_s"`
	Tests  map[string]ofLimit `json:"tests"`
}

// ofLimit compares a test with itself at the device's limits.
type ofLimit struct {
	Limit float64 `json:"limit_tokens_per_s"` // were every op at its limit, one after another
	Share float64 `json:"of_limit"`           // what was measured, of that
}

// measureLimits measures the device if that was asked for, and keeps the best so far.
func (b *benchmark) measureLimits() error {
	if b.limits == nil {
		return nil
	}
	limits, err := probe.MeasureLimits(b.Model)
	b.limits.Read, b.limits.FMA = max(b.limits.Read, limits.Read), max(b.limits.FMA, limits.FMA)
	return err
}

// compare fills in how close every op came to the device's limits.
func (p *opProfile) compare(limits probe.Limits) {
	p.Least = 0
	for i := range p.Ops {
		r := &p.Ops[i]
		least, memory := limits.Bound(r.bytes, r.flops)
		p.Least += least.Seconds()
		r.Bound = "compute"
		if memory {
			r.Bound = "memory"
		}
		if r.Time > 0 {
			r.OfLimit = least.Seconds() / r.Time
		}
	}
}

// first are the results of tests from the first place on.
func (b *benchmark) first() (results []*benchResult) {
	for _, r := range b.results {
		if r.Context == b.points[0].Context {
			results = append(results, r)
		}
	}
	return results
}

// limitReport compares everything with the limits; nil when they were not asked for.
func (b *benchmark) limitReport() *limitReport {
	if b.limits == nil {
		return nil
	}
	for _, p := range b.profiles {
		p.compare(*b.limits)
	}
	report := &limitReport{GBs: b.limits.Read / 1e9, GFLOPs: b.limits.FMA / 1e9, Tests: map[string]ofLimit{}}
	for _, p := range b.profiles {
		for _, r := range b.first() {
			if r.Test == p.Test && p.Least > 0 {
				limit := float64(p.Tokens) / p.Least
				report.Tests[p.Test] = ofLimit{Limit: limit, Share: r.Mean / limit}
			}
		}
	}
	return report
}

// limitText is the same for people.
func (b *benchmark) limitText() string {
	report := b.limitReport()
	if report == nil {
		return ""
	}
	text := fmt.Sprintf("\nlimits of the device: reads %.2f GB/s, computes %.2f GFLOP/s\n", report.GBs, report.GFLOPs)
	for _, r := range b.first() {
		if t, ok := report.Tests[r.Test]; ok {
			text += fmt.Sprintf("%s: %.2f tokens/s with every op at its limit; measured %.1f%% of that\n", r.Test, t.Limit, 100*t.Share)
		}
	}
	return text
}
