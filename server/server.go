// Package server answers OpenAI's API over HTTP with models that it runs, and keeps their states: what a prompt has in
// common with one before is not read again, and sessions are kept by name, branched, moved and restored. An answer
// is the same, to the bit, however much of it was kept.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/server/store"
)

// Options say what a server answers with and what it bounds. Bounds that are 0 are those of the Default constants.
type Options struct {
	Models []Model // at least one, each with a name of its own

	Keys          []string      // of which a request has to have one; none are asked for when there are none
	AllowOrigin   string        // the origin whose pages may ask; none when empty
	Loopback      bool          // it listens on loopback: requests by other names of the host are refused
	StateCache    int64         // bytes of states in memory; negative is none
	StateDir      string        // folder for states beyond that, and for sessions; none when empty
	StateDisk     int64         // bytes of states in the folder, sessions not counted
	Store         store.Store   // where sessions are kept, instead of the folder; may be nil
	SessionTTL    time.Duration // sessions in memory or in the folder that nobody went on with for so long are removed; 0 is never
	MaxWait       time.Duration
	MaxContext    int // tokens of a prompt and its answer
	MaxConcurrent int // answers made at a time by one model
	MaxQueue      int // further requests that wait; negative is none
	MaxBody       int64
	ReadTimeout   time.Duration // for a client to send more of its body, and all of its head
	WriteTimeout  time.Duration // for a client to take more of its answer
	LogPrompts    bool
	Log           *slog.Logger // nil for none

	newScheduler func(m *mmrun.Model, o engine.SchedulerOptions) (scheduler, error) // tests have their own
}

// Bounds unless Options say otherwise.
const (
	DefaultStateCache    = 1 << 30
	DefaultStateDisk     = 16 << 30
	DefaultMaxContext    = 1 << 20
	DefaultMaxConcurrent = 16
	DefaultMaxQueue      = 256
	DefaultMaxBody       = 16 << 20
	defaultPatience      = 60 * time.Second
)

// A Server is an http.Handler. Close gives back all that it holds.
type Server struct {
	o            Options
	log          *slog.Logger
	hosts        []*host
	cache        *stateCache
	store        store.Store
	locks        locks
	keys         *keys
	metrics      *metrics
	routes       []route
	started      time.Time
	newScheduler func(m *mmrun.Model, o engine.SchedulerOptions) (scheduler, error)

	mu       sync.Mutex
	draining bool
	running  map[*running]bool // requests for answers
	idle     chan struct{}     // closed when a draining server has none
}

// running is a request that is being answered, or waits for it.
type running struct{ cancel context.CancelCauseFunc }

// New returns a server. Its models are opened when they are first asked for; Open opens one before.
func New(o Options) (*Server, error) {
	s := &Server{o: o.withDefaults(), started: time.Now(), running: map[*running]bool{}, idle: make(chan struct{})}
	s.log, s.newScheduler = s.o.Log, s.o.newScheduler
	seen := map[string]bool{}
	for _, m := range o.Models {
		if m.Name == "" || seen[m.Name] {
			return nil, fmt.Errorf("two models named %q, or one without a name", m.Name)
		}
		seen[m.Name] = true
		s.hosts = append(s.hosts, newHost(s, m))
	}
	if len(s.hosts) == 0 {
		return nil, errors.New("no models")
	}
	var disk *diskCache
	if o.StateDir != "" {
		var err error
		if disk, err = openDisk(filepath.Join(o.StateDir, "states"), s.o.StateDisk, s.log); err != nil {
			return nil, err
		}
	}
	s.cache = newStateCache(s.o.StateCache, disk)
	if s.store = o.Store; s.store == nil && disk != nil {
		var err error
		if s.store, err = store.NewFolder(filepath.Join(o.StateDir, "sessions"), o.SessionTTL); err != nil {
			return nil, err
		}
	}
	if s.store == nil {
		s.store = newMemoryStore(s.cache, o.SessionTTL)
	}
	s.keys = newKeys(o.Keys)
	s.metrics = newMetrics(s)
	s.routes = s.table()
	return s, nil
}

func (o Options) withDefaults() Options {
	orElse := func(v *int, otherwise int) {
		if *v == 0 {
			*v = otherwise
		}
	}
	orElse64 := func(v *int64, otherwise int64) {
		if *v == 0 {
			*v = otherwise
		}
	}
	orElse64(&o.StateCache, DefaultStateCache)
	o.StateCache = max(o.StateCache, 0)
	orElse64(&o.StateDisk, DefaultStateDisk)
	orElse64(&o.MaxBody, DefaultMaxBody)
	orElse(&o.MaxContext, DefaultMaxContext)
	orElse(&o.MaxConcurrent, DefaultMaxConcurrent)
	orElse(&o.MaxQueue, DefaultMaxQueue)
	o.MaxQueue = max(o.MaxQueue, 0)
	orElse64((*int64)(&o.ReadTimeout), int64(defaultPatience))
	orElse64((*int64)(&o.WriteTimeout), int64(defaultPatience))
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.newScheduler == nil {
		o.newScheduler = newEngineScheduler
	}
	return o
}

// Open opens the first model before somebody asks for it.
func (s *Server) Open(ctx context.Context) error {
	o, err := s.hosts[0].acquire(ctx)
	if err == nil {
		s.hosts[0].release(o, nil)
	}
	return err
}

// enter counts a request for answers in, and returns what counts it out. cancel ends it when the server does not
// wait any longer.
func (s *Server) enter(cancel context.CancelCauseFunc) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return nil, unavailable(errStopping.Error(), 1)
	}
	if most := s.o.MaxConcurrent + s.o.MaxQueue; len(s.running) >= most {
		return nil, &problem{status: http.StatusTooManyRequests, kind: kindLimit, code: "rate_limit_exceeded", retry: 1,
			message: fmt.Sprintf("%d requests are answered or wait already", most)}
	}
	one := &running{cancel}
	s.running[one] = true
	return func() { s.leave(one) }, nil
}

func (s *Server) leave(one *running) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, one)
	if s.draining && len(s.running) == 0 {
		s.closeIdle()
	}
}

func (s *Server) closeIdle() {
	select {
	case <-s.idle:
	default:
		close(s.idle)
	}
}

// Drain refuses new requests from now on and waits until those under way are answered, or ctx ends: then they end
// with an error.
func (s *Server) Drain(ctx context.Context) {
	s.mu.Lock()
	s.draining = true
	if len(s.running) == 0 {
		s.closeIdle()
	}
	s.mu.Unlock()
	select {
	case <-s.idle:
		return
	case <-ctx.Done():
	}
	s.mu.Lock()
	for one := range s.running {
		one.cancel(errStopping)
	}
	s.mu.Unlock()
	<-s.idle
}

// How often what is too old is looked for in the store.
const (
	leastSweep = time.Second
	mostSweep  = 10 * time.Minute
)

// sweep removes what is too old in the store, now and then until ctx ends.
func (s *Server) sweep(ctx context.Context) {
	every := mostSweep
	if s.o.SessionTTL > 0 {
		every = min(max(s.o.SessionTTL/4, leastSweep), mostSweep)
	}
	for {
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return
		}
		if err := s.store.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("old sessions cannot be removed", "error", err)
		}
	}
}

// ready says whether a model can answer now.
func (s *Server) ready() bool {
	s.mu.Lock()
	draining := s.draining
	s.mu.Unlock()
	if draining {
		return false
	}
	for _, h := range s.hosts {
		if h.isOpen() {
			return true
		}
	}
	return false
}

// Close keeps what is to be kept and closes the models. Requests have to have ended: Drain sees to it.
func (s *Server) Close() error {
	s.cache.flush()
	for _, h := range s.hosts {
		h.turn <- struct{}{}
		h.mu.Lock()
		o := h.open
		h.open = nil
		h.mu.Unlock()
		if o != nil {
			o.close()
		}
		<-h.turn
	}
	return s.store.Close()
}
