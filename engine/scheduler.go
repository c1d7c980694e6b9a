package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/sample"
	"github.com/mmrun/mmrun/vk"
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
}

// A Scheduler continues many texts at a time. They may come and go at any moment: those that are generated take a
// step together, a token of each, and between two steps a piece of the others' prompts is read. Every token and
// log-probability is, to the bit, what Generate gives of the same state, prompt and options alone.
//
// Requests get a place in the order of their arrival; of prompts under way a pass of each is read in turn.
type Scheduler struct {
	model *Model
	o     SchedulerOptions
	wake  chan struct{} // of room for one
	done  chan struct{} // closed when the goroutine is gone
	gone  atomic.Bool   // some request's context has ended

	mu      sync.Mutex // guards what follows
	queue   []*job
	closing bool
	failed  error // of the device
	stats   SchedulerStats

	// What follows is the goroutine's.
	batch   *batch
	lanes   *lanes
	scratch *State        // of a running sequence that somebody looks at; nil before that
	reading []*job        // that wait for their next pass, in turn
	current *job          // whose pass is submitted in part
	pass    *graph.Slices // that pass
	read    []*job        // whose pass is submitted whole
	behind  vk.Pending    // of what was read after the last step
	waits   bool          // nobody has waited for it
	settled time.Time     // when the last step was done; zero when none is to follow it
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

// NewScheduler starts a scheduler. Close ends it, before the model is closed.
func (m *Model) NewScheduler(o SchedulerOptions) (*Scheduler, error) {
	if o.MaxWait == 0 {
		o.MaxWait = DefaultMaxWait
	}
	if o.MaxWait < 0 {
		return nil, fmt.Errorf("a longest wait of %v is negative", o.MaxWait)
	}
	s := &Scheduler{model: m, o: o, wake: make(chan struct{}, 1), done: make(chan struct{}), stats: SchedulerStats{Places: o.Places}}
	m.mu.Lock()
	defer m.mu.Unlock()
	var err error
	if s.batch, err = m.newBatch(o.Places); err != nil {
		return nil, err
	}
	if s.lanes, err = m.newLanes(); err != nil {
		s.batch.close()
		return nil, err
	}
	go s.run()
	return s, nil
}

// Submit queues a request. When ctx ends, so does the request, and its place is free for the next step. Errors are
// of a request that cannot be met, ErrClosed, and what went wrong on the device.
func (s *Scheduler) Submit(ctx context.Context, r Request) (*Stream, error) {
	if err := s.model.checkRequest(&r); err != nil {
		return nil, err
	}
	sampler, err := sample.New(r.Options.Sample)
	if err != nil {
		return nil, err
	}
	j := &job{Request: &r, ctx: ctx, stream: newStream(), sampler: sampler, left: r.Options.MaxTokens, stops: s.model.stops(r.Options)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ended(); err != nil {
		return nil, err
	}
	s.queue = append(s.queue, j)
	s.stats.Requests++
	j.forget = context.AfterFunc(ctx, func() {
		s.gone.Store(true)
		s.tell()
	})
	s.tell()
	return j.stream, nil
}

// ended says why nothing is taken any more. The caller holds s.mu.
func (s *Scheduler) ended() error {
	if s.closing {
		return fmt.Errorf("the scheduler is %w", ErrClosed)
	}
	return s.failed
}

func (s *Scheduler) tell() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Stats returns what the scheduler is doing now and has done so far.
func (s *Scheduler) Stats() SchedulerStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Bytes is the device memory that the scheduler takes, with all its states.
func (s *Scheduler) Bytes() int64 {
	s.model.mu.Lock()
	defer s.model.mu.Unlock()
	return s.batch.bytes() + s.lanes.bytes()
}

// Close ends the scheduler. Requests that are under way or queued end with ErrClosed.
func (s *Scheduler) Close() error {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.tell()
	<-s.done
	return nil
}

// run is the scheduler's goroutine.
func (s *Scheduler) run() {
	defer close(s.done)
	for {
		s.mu.Lock()
		err, idle := s.ended(), len(s.queue) == 0
		s.mu.Unlock()
		if err != nil {
			break
		}
		if idle && s.idle() {
			<-s.wake
			continue
		}
		if err := s.locked(s.turn); err != nil {
			s.mu.Lock()
			s.failed = err
			s.mu.Unlock()
		}
	}
	s.finish()
}

// idle says whether no request has a place.
func (s *Scheduler) idle() bool {
	return len(s.batch.active)+len(s.reading)+len(s.read) == 0 && s.current == nil
}

// locked calls f with the model's lock.
func (s *Scheduler) locked(f func() error) error {
	s.model.mu.Lock()
	defer s.model.mu.Unlock()
	return f()
}

// look calls a function of a request's without the model's lock, which it may want.
func (s *Scheduler) look(f func()) error {
	s.model.mu.Unlock()
	f()
	s.model.mu.Lock()
	return s.batch.ready()
}

// finish ends all requests and gives everything back.
func (s *Scheduler) finish() {
	s.mu.Lock()
	err := s.ended()
	all := slices.Concat(s.queue, s.reading, s.read)
	s.queue = nil
	s.mu.Unlock()
	if s.current != nil {
		all = append(all, s.current)
	}
	for _, q := range s.batch.active {
		all = append(all, q.job)
	}
	for _, j := range all {
		j.end(err)
	}
	s.locked(func() error {
		s.lanes.close()
		s.batch.close()
		if s.scratch != nil {
			s.scratch.close()
		}
		return nil
	})
	s.reading, s.read, s.current = nil, nil, nil
	s.mu.Lock()
	s.stats.Queued, s.stats.Reading, s.stats.Generating = 0, 0, 0
	s.mu.Unlock()
}

// turn is what is done around one step: the last one's tokens are handed out, the next one is started, and behind it a
// piece of the prompts.
func (s *Scheduler) turn() error {
	if err := s.batch.ready(); err != nil {
		return err
	}
	for _, do := range []func() error{s.settle, s.finishPasses, s.sweep, s.admit, s.step, s.readOn} {
		if err := do(); err != nil {
			return err
		}
	}
	s.count()
	return nil
}

// count brings the figures up to date.
func (s *Scheduler) count() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Generating, s.stats.Queued = len(s.batch.active), len(s.queue)
	s.stats.Reading = s.taken() - s.stats.Generating
}

// taken is how many places are taken.
func (s *Scheduler) taken() int {
	n := len(s.batch.active) + len(s.reading) + len(s.read)
	if s.current != nil {
		n++
	}
	return n
}

// admit gives places to requests, in the order of their arrival.
func (s *Scheduler) admit() error {
	for s.taken() < s.o.Places {
		s.mu.Lock()
		if len(s.queue) == 0 {
			s.mu.Unlock()
			return nil
		}
		j := s.queue[0]
		s.queue = s.queue[1:]
		s.mu.Unlock()
		if err := s.begin(j); err != nil {
			return err
		}
	}
	return nil
}

// sweep ends requests whose contexts have.
func (s *Scheduler) sweep() error {
	if !s.gone.Swap(false) {
		return nil
	}
	s.mu.Lock()
	s.queue = swept(s.queue, func(j *job) { j.end(j.ctx.Err()) })
	s.mu.Unlock()
	for _, q := range slices.Clone(s.batch.active) {
		if q.job.over() {
			s.batch.leave(q)
			q.job.end(q.job.ctx.Err())
		}
	}
	s.reading = swept(s.reading, func(j *job) { s.drop(j, j.ctx.Err()) })
	if j := s.current; j != nil && j.over() {
		if err := s.waitRead(); err != nil { // its lane is used again
			return err
		}
		s.current, s.pass = nil, nil
		s.drop(j, j.ctx.Err())
	}
	return nil
}

// swept are the requests that somebody waits for; end is called with the others.
func swept(all []*job, end func(j *job)) []*job {
	return slices.DeleteFunc(all, func(j *job) bool {
		over := j.over()
		if over {
			end(j)
		}
		return over
	})
}
