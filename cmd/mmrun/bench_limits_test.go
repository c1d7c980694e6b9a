package main

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/mmrun/mmrun/engine/probe"
)

// TestBenchLimits: every op and every test is held against what the device can do.
func TestBenchLimits(t *testing.T) {
	var r benchReport
	out := succeed(t, "bench", "--json", "--limits", "-p", "20", "-n", "3", "-r", "1", "--model", goldenDir("memmamba-fifo"))
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Limits == nil || r.Limits.GBs <= 0 || r.Limits.GFLOPs <= 0 || len(r.Limits.Tests) != 2 {
		t.Fatalf("limits %+v", r.Limits)
	}
	for test, l := range r.Limits.Tests {
		if l.Limit <= 0 || l.Share <= 0 {
			t.Errorf("%s: %+v", test, l)
		}
	}
	for _, p := range r.Ops {
		least := 0.0
		for _, op := range p.Ops {
			if op.Bound != "memory" && op.Bound != "compute" || op.OfLimit < 0 {
				t.Errorf("%s: %+v", p.Test, op)
			}
			least += op.OfLimit * op.Time
		}
		if math.Abs(least-p.Least) > 1e-6+1e-3*p.Least {
			t.Errorf("%s: ops take %g s at the least, all of them %g", p.Test, least, p.Least)
		}
	}
}

func TestCompareWithLimits(t *testing.T) {
	p := summarize("prompt", 7, []probe.OpTime{opTime("move", time.Second, 5e9, 1e9), opTime("compute", time.Second, 1e9, 30e9)})
	p.compare(probe.Limits{Read: 10e9, FMA: 40e9})
	for i, want := range []opReport{{Op: "move", Bound: "memory", OfLimit: 0.5}, {Op: "compute", Bound: "compute", OfLimit: 0.75}} {
		if got := p.Ops[i]; got.Op != want.Op || got.Bound != want.Bound || math.Abs(got.OfLimit-want.OfLimit) > 1e-9 {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if table := p.table(); !strings.Contains(table, "memory       50.0%") || !strings.Contains(table, "62.5%") {
		t.Errorf("table\n%s", table)
	}
}

func opTime(op string, d time.Duration, bytes, flops int64) probe.OpTime {
	t := probe.OpTime{Op: op, Calls: 1, Time: d}
	t.Bytes, t.Flops = bytes, flops
	return t
}
