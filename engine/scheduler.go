package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mmrun/mmrun/sample"
)

// DefaultMaxWait is SchedulerOptions.MaxWait unless told.
const DefaultMaxWait = 50 * time.Millisecond

// SchedulerOptions say how a Scheduler shares out the device.
type SchedulerOptions struct {
	// Places is how many texts are read or generated at a time, 1 to MaxBatch.
	Places int

	// MaxWait bounds what the reading of prompts adds between two tokens of a text, in time of the device, by the
	// pace that was measured so far; 0 is DefaultMaxWait. At least one smallest piece, a kernel or a few, is always
	// read.
	MaxWait time.Duration

	// Twins are the same model opened again, each on a device of its own of the same kind: a software device that runs
	// in one thread, or a further GPU. They share the queue and the places, so that each works on some of the texts.
	Twins []*Model
}

// A Scheduler continues many texts at a time. They may come and go at any moment: those that are generated take a
// step together, a token of each, and between two steps a piece of the others' prompts is read. Every token and
// log-probability is, to the bit, what Generate gives of the same state, prompt and options alone.
//
// Requests get a place in the order of their arrival; of prompts under way a pass of each is read in turn.
type Scheduler struct {
	model   *Model
	o       SchedulerOptions
	workers []*worker // of the model, and of each twin

	mu      sync.Mutex // guards what follows
	queue   []*job
	closing bool
	failed  error // of a device
	stats   SchedulerStats
}

// SchedulerStats say what a Scheduler is doing and has done.
type SchedulerStats struct {
	Places      int
	Queued      int           // requests without a place
	Reading     int           // whose prompt is read
	Generating  int           // whose tokens are generated
	LongestWait time.Duration // that reading has added between two tokens of a text
	Steps       int64
	Requests    int64 // that were submitted
	Prompt      int64 // tokens that were read
	Generated   int64 // tokens
}

// NewScheduler starts a scheduler. Close ends it, before the model and its twins are closed.
func (m *Model) NewScheduler(o SchedulerOptions) (*Scheduler, error) {
	if m.absent() || slices.ContainsFunc(o.Twins, (*Model).absent) {
		return nil, errModelClosed
	}
	if o.MaxWait == 0 {
		o.MaxWait = DefaultMaxWait
	}
	if o.MaxWait < 0 {
		return nil, fmt.Errorf("a longest wait of %v is negative", o.MaxWait)
	}
	all := append([]*Model{m}, o.Twins...)
	for i, twin := range all {
		switch {
		case slices.Contains(all[:i], twin):
			return nil, fmt.Errorf("a model is its own twin")
		case twin.source != m.source:
			return nil, fmt.Errorf("the twin is %w", ErrOtherModel)
		case twin.Device().Name != m.Device().Name:
			return nil, fmt.Errorf("the model is on %s, its twin on %s", m.Device().Name, twin.Device().Name)
		}
	}
	s := &Scheduler{model: m, o: o, stats: SchedulerStats{Places: o.Places}}
	all = all[:max(1, min(len(all), o.Places))]
	for i, one := range all {
		w, err := s.newWorker(one, (o.Places+len(all)-1-i)/len(all))
		if err != nil {
			for _, w := range s.workers {
				w.close()
			}
			return nil, err
		}
		s.workers = append(s.workers, w)
	}
	for _, w := range s.workers {
		go w.run()
	}
	return s, nil
}

// Submit queues a request. When ctx ends, so does the request, and its place is free for the next step. Errors are
// of a request that cannot be met, ErrClosed, and what went wrong on the device.
func (s *Scheduler) Submit(ctx context.Context, r Request) (*Stream, error) {
	if s == nil {
		return nil, errSchedulerClosed
	}
	var saved *savedState
	if r.Saved != nil {
		var err error
		if saved, err = s.model.decodeSaved(r.Saved); err != nil {
			return nil, err
		}
	}
	if err := s.model.checkRequest(&r, saved); err != nil {
		return nil, err
	}
	sampler, err := sample.New(r.Options.Sample)
	if err != nil {
		return nil, err
	}
	j := &job{Request: &r, saved: saved, ctx: ctx, stream: newStream(), sampler: sampler, left: r.Options.MaxTokens, stops: s.model.stops(r.Options)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ended(); err != nil {
		return nil, err
	}
	s.queue = append(s.queue, j)
	s.stats.Requests++
	j.forget = context.AfterFunc(ctx, func() {
		for _, w := range s.workers {
			w.gone.Store(true)
		}
		s.tell()
	})
	s.tell()
	return j.stream, nil
}

// ended says why nothing is taken any more. The caller holds s.mu.
func (s *Scheduler) ended() error {
	if s.closing {
		return errSchedulerClosed
	}
	return s.failed
}

// tell wakes all that sleep.
func (s *Scheduler) tell() {
	for _, w := range s.workers {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// Stats returns what the scheduler is doing now and has done so far.
func (s *Scheduler) Stats() SchedulerStats {
	if s == nil {
		return SchedulerStats{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.stats
	for _, w := range s.workers {
		all.Generating += w.generating
		all.Reading += w.taking - w.generating
	}
	all.Queued = len(s.queue)
	return all
}

// Bytes is the device memory that the scheduler takes, with all its states.
func (s *Scheduler) Bytes() (bytes int64) {
	if s == nil {
		return 0
	}
	for _, w := range s.workers {
		bytes += w.bytes()
	}
	return bytes
}

// Close ends the scheduler. Requests that are under way or queued end with ErrClosed.
func (s *Scheduler) Close() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.tell()
	for _, w := range s.workers {
		<-w.done
	}
	return nil
}
