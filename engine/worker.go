package engine

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/vk"
)

// A worker is the goroutine of a scheduler that keeps one device busy.
type worker struct {
	*Scheduler
	model  *Model
	places int
	wake   chan struct{} // of room for one
	done   chan struct{} // closed when the goroutine is gone
	gone   atomic.Bool   // some request's context has ended

	taking, generating int // texts that have a place, and those of them that are generated; guarded by the scheduler's mu

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

// newWorker makes a worker, which does nothing before run.
func (s *Scheduler) newWorker(m *Model, places int) (*worker, error) {
	w := &worker{Scheduler: s, model: m, places: places, wake: make(chan struct{}, 1), done: make(chan struct{})}
	m.mu.Lock()
	defer m.mu.Unlock()
	var err error
	if w.batch, err = m.newBatch(places); err != nil {
		return nil, err
	}
	if w.lanes, err = m.newLanes(); err != nil {
		w.batch.close()
		return nil, err
	}
	return w, nil
}

// run is the worker's goroutine.
func (s *worker) run() {
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
			s.tell()
		}
	}
	s.finish()
}

// idle says whether no request has a place.
func (s *worker) idle() bool {
	return len(s.batch.active)+len(s.reading)+len(s.read) == 0 && s.current == nil
}

// locked calls a function with the model's lock.
func (s *worker) locked(f func() error) error {
	s.model.mu.Lock()
	defer s.model.mu.Unlock()
	return f()
}

// look calls a function of a request's without the model's lock, which it may want.
func (s *worker) look(f func()) error {
	s.model.mu.Unlock()
	f()
	s.model.mu.Lock()
	return s.batch.ready()
}

// finish ends all requests and gives everything back.
func (s *worker) finish() {
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
	s.close()
	s.reading, s.read, s.current = nil, nil, nil
	s.mu.Lock()
	s.taking, s.generating = 0, 0
	s.mu.Unlock()
}

// close gives back what the worker has on the device.
func (s *worker) close() {
	s.model.mu.Lock()
	defer s.model.mu.Unlock()
	s.lanes.close()
	s.batch.close()
	if s.scratch != nil {
		s.scratch.close()
	}
}

// bytes is the device memory that the worker takes, with all its states.
func (s *worker) bytes() int64 {
	s.model.mu.Lock()
	defer s.model.mu.Unlock()
	return s.batch.bytes() + s.lanes.bytes()
}

// turn is what is done around one step: the last one's tokens are handed out, the next one is started, and behind it a
// piece of the prompts.
func (s *worker) turn() error {
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
func (s *worker) count() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generating, s.taking = len(s.batch.active), s.taken()
}

// taken is how many places are taken.
func (s *worker) taken() int {
	n := len(s.batch.active) + len(s.reading) + len(s.read)
	if s.current != nil {
		n++
	}
	return n
}

// admit gives places to requests, in the order of their arrival.
func (s *worker) admit() error {
	for s.taken() < s.places {
		j := s.next()
		if j == nil {
			return nil
		}
		if err := s.begin(j); err != nil {
			return err
		}
	}
	return nil
}

// next is the request that came first, if there is one and no other worker has fewer.
func (s *worker) next() *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taking = s.taken()
	if len(s.queue) == 0 || slices.ContainsFunc(s.workers, func(w *worker) bool { return w.taking < s.taking }) {
		return nil
	}
	j := s.queue[0]
	s.queue = s.queue[1:]
	s.taking++
	return j
}

// sweep ends requests whose contexts have.
func (s *worker) sweep() error {
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
