package vk

import (
	"math"
	"time"
)

// A Load is what a submission has to do at the least, known by counting.
type Load struct {
	Calls int64 // kernels and copies
	Bytes int64 // moved
	Flops int64 // floating point operations
}

// Add returns the load of both.
func (l Load) Add(other Load) Load {
	return Load{l.Calls + other.Calls, l.Bytes + other.Bytes, l.Flops + other.Flops}
}

// A Pace says how long a device takes for a load, as it was measured so far, and how long a submission
// should take at the most. Drivers of GPUs that also draw the screen give a device up for lost when one
// submission holds it for seconds, and nothing can be cancelled before the end of a submission.
type Pace struct {
	Target time.Duration
	cost   [3]float64 // seconds of a call, of a byte, of an operation
}

// careful is what is assumed of a device before anything was measured: less than an integrated GPU does.
var careful = [3]float64{20e-6, 1 / 5e9, 1 / 20e9}

// The bounds of what one measurement changes: a device may have been busy with something else.
const slower, faster = 4.0, 0.5

// NewPace returns the pace of a device of which nothing was measured.
func NewPace(t Type) Pace {
	p := Pace{Target: 100 * time.Millisecond, cost: careful}
	if t == Discrete || t == CPU {
		p.Target = 500 * time.Millisecond
	}
	return p
}

// parts are the seconds that calls, bytes and operations of a load take.
func (p Pace) parts(l Load) [3]float64 {
	return [3]float64{p.cost[0] * float64(l.Calls), p.cost[1] * float64(l.Bytes), p.cost[2] * float64(l.Flops)}
}

// Time is how long a load takes.
func (p Pace) Time(l Load) time.Duration {
	parts := p.parts(l)
	return time.Duration(min((parts[0]+parts[1]+parts[2])*1e9, math.MaxInt64/2))
}

// Learn takes in how long a load took. What should have had the larger part of that time is blamed or
// praised the more. A single measurement makes a load at most four times as long, or half.
func (p *Pace) Learn(l Load, took time.Duration) {
	parts := p.parts(l)
	whole := parts[0] + parts[1] + parts[2]
	if whole <= 0 || took <= 0 {
		return
	}
	more := min(max(took.Seconds()/whole, faster), slower) - 1
	squares := parts[0]*parts[0] + parts[1]*parts[1] + parts[2]*parts[2]
	for i, part := range parts {
		p.cost[i] *= 1 + more*part*whole/squares
	}
}

// Pace returns what is known of the device so far.
func (d *Device) Pace() Pace {
	q := &d.queue
	q.pace.Lock()
	defer q.pace.Unlock()
	return q.pace.Pace
}

// blocks is from when on a wait has really waited, so that its end is that of the submission.
const blocks = 20 * time.Microsecond

// measured notes how long a submission took.
func (q *queue) measured(l Load, took time.Duration) {
	q.pace.Lock()
	defer q.pace.Unlock()
	q.pace.Learn(l, took)
	q.pace.longest = max(q.pace.longest, took)
}
