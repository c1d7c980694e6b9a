package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// head is the head of a table, of which row makes a line.
const head = "clients  questions  tokens/s  prompt/s  first ms     99%  between ms     99%  longest wait ms  CPU s"

// row is what a number of clients met.
func row(clients int, all []asked, took time.Duration, before, after metrics) string {
	var first, between []time.Duration
	tokens, read := 0.0, 0.0
	for _, a := range all {
		tokens += float64(a.tokens)
		read += float64(a.answer.prompt - a.cached)
		if a.first > 0 {
			first = append(first, a.first)
		}
		if a.slow == 0 {
			between = append(between, a.between...)
		}
	}
	if n := after[generatedMetric] - before[generatedMetric]; n > 0 { // those nobody waited for are in it
		tokens, read = n, after[readMetric]-before[readMetric]
	}
	return fmt.Sprintf("%7d  %9d  %8.1f  %8.1f  %8.0f  %6.0f  %10.1f  %6.0f  %15.0f  %5.0f", clients, len(all), tokens/took.Seconds(), read/took.Seconds(),
		ms(quantile(first, 0.5)), ms(quantile(first, 0.99)), ms(quantile(between, 0.5)), ms(quantile(between, 0.99)),
		1000*after[waitMetric], after[processorMetric]-before[processorMetric])
}

// holdings is what a server has at three times.
func holdings(before, middle, after metrics) string {
	if before[memoryMetric] == 0 {
		return ""
	}
	var all strings.Builder
	fmt.Fprintf(&all, "%-16s  %8s  %8s  %8s\n", "", "before", "middle", "after")
	for _, one := range []struct {
		name, metric string
		unit         float64
	}{
		{"memory, MiB", memoryMetric, 1 << 20},
		{"of device, MiB", deviceMetric, 1 << 20},
		{"goroutines", goroutinesMetric, 1},
		{"open handles", handlesMetric, 1},
	} {
		fmt.Fprintf(&all, "%-16s  %8.0f  %8.0f  %8.0f\n", one.name, before[one.metric]/one.unit, middle[one.metric]/one.unit, after[one.metric]/one.unit)
	}
	return all.String() + "\n"
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// quantile is the value below which a share of all lies, 0 of none.
func quantile(values []time.Duration, share float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(len(values)-1, int(share*float64(len(values))))]
}
