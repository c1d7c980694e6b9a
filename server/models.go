package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/engine"
)

// A Model is one that the server may answer with. It is opened when it is first asked for.
type Model struct {
	Name     string
	Template *Template
	Open     func() (*mmrun.Model, error)

	// Copies says, of the model that was opened, how often it is to be opened in all. Each copy has a device of its own
	// and makes some of the answers. nil is once.
	Copies func(m *mmrun.Model) int
	// Fingerprint is that of the model, found without opening it; nil where that is the only way.
	Fingerprint func() ([32]byte, error)
}

// A host keeps one model: closed, or open with the scheduler that runs it.
type host struct {
	Model
	server *Server

	turn chan struct{} // held while the model is opened or closed

	mu    sync.Mutex
	open  *opened
	users int
	used  time.Time // last
	print *[32]byte // the fingerprint, once it is known
}

// opened is a model that is open.
type opened struct {
	host      *host
	model     *mmrun.Model
	twins     []*mmrun.Model
	scheduler scheduler
	lost      bool // the device; guarded by the host's mu
}

func newHost(s *Server, m Model) *host {
	return &host{Model: m, server: s, turn: make(chan struct{}, 1)}
}

// acquire returns the open model, opening it first if need be. Every use ends with release.
func (h *host) acquire(ctx context.Context) (*opened, error) {
	if o := h.take(); o != nil {
		return o, nil
	}
	select {
	case h.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-h.turn }()
	if o := h.take(); o != nil { // somebody was faster
		return o, nil
	}
	if err := h.closeLost(ctx); err != nil {
		return nil, err
	}
	o, err := h.load()
	if err != nil {
		h.server.log.Error("a model cannot be opened", "model", h.Name, "error", err)
		return nil, err
	}
	print := o.model.Fingerprint()
	h.mu.Lock()
	h.open, h.print = o, &print
	h.mu.Unlock()
	return h.take(), nil
}

// fingerprint is that of the model, which is opened only if nothing else tells.
func (h *host) fingerprint(ctx context.Context) ([32]byte, error) {
	h.mu.Lock()
	print := h.print
	h.mu.Unlock()
	if print != nil {
		return *print, nil
	}
	if h.Model.Fingerprint == nil {
		o, err := h.acquire(ctx)
		if err != nil {
			return [32]byte{}, err
		}
		defer h.release(o, nil)
		return o.model.Fingerprint(), nil
	}
	one, err := h.Model.Fingerprint()
	if err != nil {
		return one, fmt.Errorf("model %s: %w", h.Name, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.print == nil {
		h.print = &one
	}
	return *h.print, nil
}

// take is the open model, if there is one that works.
func (h *host) take() *opened {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open == nil || h.open.lost {
		return nil
	}
	h.users++
	h.used = time.Now()
	return h.open
}

// release ends a use of the model. Whoever saw the device lost says so.
func (h *host) release(o *opened, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users--
	h.used = time.Now()
	if errors.Is(err, mmrun.ErrDeviceLost) && !o.lost {
		o.lost = true
		h.server.log.Error("the device was lost; the model is opened again", "model", h.Name, "error", err)
	}
}

// closeLost closes a model whose device is lost, once nobody uses it any longer.
func (h *host) closeLost(ctx context.Context) error {
	for {
		h.mu.Lock()
		o, users := h.open, h.users
		if o == nil || users == 0 {
			h.open = nil
		}
		h.mu.Unlock()
		if o == nil {
			return nil
		}
		if users == 0 {
			o.close()
			return nil
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// load opens the model. Where memory is short, others that are idle make room.
func (h *host) load() (*opened, error) {
	for {
		o, err := h.tryLoad()
		if !errors.Is(err, mmrun.ErrOutOfMemory) || !h.server.unloadIdle(h) {
			return o, err
		}
	}
}

func (h *host) tryLoad() (_ *opened, err error) {
	start := time.Now()
	o := &opened{host: h}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("model %s: %w", h.Name, err), o.closeModels())
		}
	}()
	if o.model, err = h.Open(); err != nil {
		return nil, err
	}
	options := engine.SchedulerOptions{Places: h.server.o.MaxConcurrent, MaxWait: h.server.o.MaxWait}
	copies := 1
	if h.Copies != nil {
		copies = min(h.Copies(o.model), options.Places)
	}
	for range copies - 1 {
		twin, err := h.Open()
		if err != nil {
			return nil, err
		}
		o.twins = append(o.twins, twin)
		options.Twins = append(options.Twins, twin.Model)
	}
	if o.scheduler, err = h.server.newScheduler(o.model, options); err != nil {
		return nil, err
	}
	h.server.log.Info("a model is open", "model", h.Name, "device", o.model.Device().Name, "copies", copies, "seconds", time.Since(start).Seconds())
	return o, nil
}

// close gives the model back.
func (o *opened) close() {
	if err := errors.Join(o.scheduler.Close(), o.closeModels()); err != nil {
		o.host.server.log.Warn("a model was closed with an error", "model", o.host.Name, "error", err)
	}
}

func (o *opened) closeModels() error {
	if o.model == nil {
		return nil
	}
	err := o.model.Close()
	for _, twin := range o.twins {
		err = errors.Join(err, twin.Close())
	}
	return err
}

// memory is what the model and its twins have on their devices.
func (o *opened) memory() (bytes int64) {
	for _, m := range append([]*mmrun.Model{o.model}, o.twins...) {
		bytes += m.Memory().Allocated
	}
	return bytes
}

// closeIdle closes the model if nobody uses it, and says whether it did.
func (h *host) closeIdle() bool {
	select {
	case h.turn <- struct{}{}:
	default:
		return false // it is being opened
	}
	defer func() { <-h.turn }()
	h.mu.Lock()
	o := h.open
	if o == nil || h.users > 0 {
		h.mu.Unlock()
		return false
	}
	h.open = nil
	h.mu.Unlock()
	o.close()
	return true
}

// unloadIdle closes the model that has been idle for longest, other than one; false when there is none.
func (s *Server) unloadIdle(but *host) bool {
	all := slices.Clone(s.hosts)
	slices.SortFunc(all, func(a, b *host) int { return a.lastUsed().Compare(b.lastUsed()) })
	for _, h := range all {
		if h != but && h.closeIdle() {
			s.log.Info("a model is closed to make room", "model", h.Name)
			return true
		}
	}
	return false
}

func (h *host) lastUsed() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.used
}

// isOpen says whether the model can answer now.
func (h *host) isOpen() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open != nil && !h.open.lost
}

// findHost is the model of a name; that of an empty one is the only one.
func (s *Server) findHost(name string) (*host, *problem) {
	if name == "" && len(s.hosts) == 1 {
		return s.hosts[0], nil
	}
	for _, h := range s.hosts {
		if h.Name == name {
			return h, nil
		}
	}
	p := refuse(http.StatusNotFound, "model_not_found", "there is no model %q here", name)
	if name == "" {
		p = badField("model", "there are several models; say which")
	}
	p.param = "model"
	return nil, p
}

// modelEntry is a model as /v1/models shows it.
type modelEntry struct {
	ID       string `json:"id"`
	Object   string `json:"object"`
	Created  int64  `json:"created"`
	OwnedBy  string `json:"owned_by"`
	Template string `json:"chat_template"`
	Open     bool   `json:"open"`
	Context  int64  `json:"max_context"`
}

func (s *Server) modelEntry(h *host) modelEntry {
	return modelEntry{ID: h.Name, Object: "model", Created: s.started.Unix(), OwnedBy: "mmrun", Template: h.Template.Name, Open: h.isOpen(), Context: int64(s.o.MaxContext)}
}

func (s *Server) listModels(w http.ResponseWriter, _ *http.Request) error {
	data := []modelEntry{}
	for _, h := range s.hosts {
		data = append(data, s.modelEntry(h))
	}
	writeJSON(w, http.StatusOK, listOf[modelEntry]{"list", data})
	return nil
}

func (s *Server) getModel(w http.ResponseWriter, r *http.Request) error {
	h, p := s.findHost(r.PathValue("id"))
	if p != nil {
		return p
	}
	writeJSON(w, http.StatusOK, s.modelEntry(h))
	return nil
}

// listOf is OpenAI's form of a list.
type listOf[T any] struct {
	Object string `json:"object"`
	Data   []T    `json:"data"`
}
