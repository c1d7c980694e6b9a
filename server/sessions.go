package server

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/engine"
)

// createSession answers POST /v1/sessions.
func (s *Server) createSession(w http.ResponseWriter, r *http.Request) error {
	f, err := s.readFields(w, r)
	if err != nil {
		return err
	}
	id, given := f.text("id")
	if given && !validID(id) {
		return badID(id)
	}
	if !given {
		id = newID("session-")
	}
	model, _ := f.text("model")
	var prompts []prompt
	if f.has("prompt") {
		if prompts = readPrompts(f); len(prompts) > 1 {
			f.fail("prompt", "a session has one")
		}
	}
	if f.wrong != nil {
		return f.wrong
	}
	unlock, err := s.locks.take(r.Context(), id)
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.isFree(r.Context(), id); err != nil {
		return err // before any work
	}
	return s.withModel(r, model, func(o *opened) error {
		v := &session{ID: id, host: o.host}
		state, err := s.begun(r.Context(), o, prompts)
		if err != nil {
			return err
		}
		v.put(state)
		return s.created(w, r, v)
	})
}

// isFree is nil where there is no session of an id.
func (s *Server) isFree(ctx context.Context, id string) error {
	v, err := s.loadSession(ctx, id, false)
	switch {
	case v != nil:
		return storeProblem(id, fs.ErrExist)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

// created writes a new session and describes it.
func (s *Server) created(w http.ResponseWriter, r *http.Request, v *session) error {
	if err := s.saveSession(r.Context(), v); err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/sessions/"+v.ID)
	writeJSON(w, http.StatusCreated, v.describe())
	return nil
}

// begun is the state after a prompt, or at the beginning.
func (s *Server) begun(ctx context.Context, o *opened, prompts []prompt) (*saved, error) {
	if len(prompts) == 1 && (prompts[0].text == nil || *prompts[0].text != "") {
		q, err := s.question(o, nil, prompts[0])
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(errGone)
		leave, err := s.enter(cancel)
		if err != nil {
			return nil, err
		}
		defer leave()
		return s.read(ctx, o, q)
	}
	state, err := o.model.NewState()
	if err != nil {
		return nil, err
	}
	defer state.Close()
	data, err := state.MarshalBinary()
	return &saved{data: data}, err
}

// listSessions answers GET /v1/sessions.
func (s *Server) listSessions(w http.ResponseWriter, r *http.Request) error {
	all := []description{}
	for _, h := range s.hosts {
		some, err := s.sessionsOf(r.Context(), h)
		if err != nil {
			return err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b description) int { return strings.Compare(a.ID, b.ID) })
	writeJSON(w, http.StatusOK, listOf[description]{"list", all})
	return nil
}

// atOnce is how many sessions are looked at at a time for a list: a store may be far away.
const atOnce = 16

// sessionsOf describes the sessions of a model, but those that cannot be read.
func (s *Server) sessionsOf(ctx context.Context, h *host) ([]description, error) {
	model, err := h.fingerprint(ctx)
	if err != nil {
		return nil, err
	}
	part := sessionPart(model)
	keys, err := s.store.List(ctx, part)
	if err != nil {
		return nil, storeProblem("", err)
	}
	found, errs := make([]*session, len(keys)), make([]error, len(keys))
	var all sync.WaitGroup
	room := make(chan bool, atOnce)
	for i, key := range keys {
		room <- true
		all.Go(func() {
			defer func() { <-room }()
			found[i], errs[i] = s.loadOf(ctx, h, strings.TrimPrefix(key, part+"/"), false)
		})
	}
	all.Wait()
	var out []description
	for i, v := range found {
		var p *problem
		switch {
		case errs[i] == nil:
			out = append(out, v.describe())
		case errors.Is(errs[i], fs.ErrNotExist): // it has just gone
		case errors.As(errs[i], &p) && p.code == codeDamaged:
			s.log.Warn("a session cannot be read", "id", v.ID, "error", errs[i])
		default:
			return nil, storeProblem("", errs[i])
		}
	}
	return out, nil
}

// getSession answers GET /v1/sessions/{id} with the state's bytes.
func (s *Server) getSession(w http.ResponseWriter, r *http.Request) error {
	v, err := s.loadSession(r.Context(), r.PathValue("id"), true)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(v.state.data)))
	w.Header().Set("Content-Disposition", `attachment; filename="`+v.ID+`.state"`)
	w.Write(v.state.data)
	return nil
}

// putSession answers PUT /v1/sessions/{id}: the session becomes that of the bytes.
func (s *Server) putSession(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if !validID(id) {
		return badID(id)
	}
	data, err := s.readBody(w, r, s.maxState())
	if err != nil {
		return err
	}
	unlock, err := s.locks.take(r.Context(), id)
	if err != nil {
		return err
	}
	defer unlock()
	was, err := s.loadSession(r.Context(), id, false)
	if err != nil && was == nil && !errors.Is(err, fs.ErrNotExist) { // a damaged one may be replaced
		return err
	}
	model := r.URL.Query().Get("model")
	if model == "" && was != nil {
		model = was.host.Name
	}
	v, err := s.recognize(r.Context(), model, data)
	if err != nil {
		return err
	}
	if v.ID = id; was == nil {
		return s.created(w, r, v)
	}
	if v.Created = was.Created; v.host == was.host {
		v.version = was.version
	}
	if err := s.saveSession(r.Context(), v); err != nil {
		return err
	}
	if v.host != was.host {
		if err := s.removeSession(r.Context(), was.host, id); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	writeJSON(w, http.StatusOK, v.describe())
	return nil
}

// recognize makes a session of a state's bytes, all of which are checked. A name says which model it has to be of.
func (s *Server) recognize(ctx context.Context, name string, data []byte) (*session, error) {
	candidates := s.hosts
	if name != "" {
		h, p := s.findHost(name)
		if p != nil {
			return nil, p
		}
		candidates = []*host{h}
	}
	head, err := engine.ReadSaved(data)
	if err != nil {
		return nil, badField("", "the body is not a state: %v", err)
	}
	for _, h := range candidates {
		if model, err := h.fingerprint(ctx); err != nil {
			return nil, err
		} else if model != head.Model {
			continue
		}
		state, err := h.check(ctx, data)
		if errors.Is(err, mmrun.ErrRefused) {
			return nil, badField("", "the body is not a state: %v", err)
		}
		if err != nil {
			return nil, err
		}
		v := &session{host: h}
		v.put(state)
		return v, nil
	}
	return nil, refuse(http.StatusConflict, "other_model", "the state is one of another model")
}

// check reads a state and finds what it is of.
func (h *host) check(ctx context.Context, data []byte) (v *saved, err error) {
	o, err := h.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { h.release(o, err) }()
	state, err := o.model.NewState()
	if err != nil {
		return nil, err
	}
	defer state.Close()
	if err := state.UnmarshalBinary(data); err != nil {
		return nil, err
	}
	return &saved{traceOf(state), data}, nil
}

// maxState bounds the bytes of a state that is sent: they may be more than other bodies may have.
func (s *Server) maxState() int64 {
	most := s.o.MaxBody
	for _, h := range s.hosts {
		h.mu.Lock()
		if h.open != nil {
			most = max(most, h.open.model.MaxSavedBytes())
		}
		h.mu.Unlock()
	}
	return most
}

// forkSession answers POST /v1/sessions/{id}/fork.
func (s *Server) forkSession(w http.ResponseWriter, r *http.Request) error {
	f, err := s.readFields(w, r)
	if err != nil {
		return err
	}
	id, given := f.text("id")
	if f.wrong != nil {
		return f.wrong
	}
	if given && !validID(id) {
		return badID(id)
	}
	if !given {
		id = newID("session-")
	}
	from := r.PathValue("id")
	if !validID(from) {
		return badID(from)
	}
	unlock, err := s.locks.take(r.Context(), from)
	if err != nil {
		return err
	}
	defer unlock()
	v, err := s.loadSession(r.Context(), from, true)
	if err != nil {
		return err
	}
	if err := s.isFree(r.Context(), id); err != nil {
		return err
	}
	v.ID, v.version, v.Created = id, "", 0
	return s.created(w, r, v)
}

// deleteSession answers DELETE /v1/sessions/{id}.
func (s *Server) deleteSession(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if !validID(id) {
		return badID(id)
	}
	unlock, err := s.locks.take(r.Context(), id)
	if err != nil {
		return err
	}
	defer unlock()
	v, err := s.loadSession(r.Context(), id, false)
	if v == nil {
		return err
	}
	if err := s.removeSession(r.Context(), v.host, id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readFields reads a body that is a JSON object.
func (s *Server) readFields(w http.ResponseWriter, r *http.Request) (*fields, error) {
	body, err := s.readBody(w, r, s.o.MaxBody)
	if err != nil {
		return nil, err
	}
	if len(strings.TrimSpace(string(body))) == 0 && strings.HasSuffix(r.URL.Path, "/fork") {
		return &fields{}, nil // it needs to say nothing
	}
	f, p := parseFields(body)
	if p != nil {
		return nil, p
	}
	return f, nil
}

// readBody reads a body of at most the given number of bytes.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	if r.ContentLength > most {
		return nil, tooLarge(most)
	}
	in := &patientReader{r: r.Body, c: http.NewResponseController(w), patience: s.o.ReadTimeout}
	body, err := io.ReadAll(io.LimitReader(in, most+1))
	in.done()
	switch {
	case err != nil:
		return nil, in.problem(err)
	case int64(len(body)) > most:
		return nil, tooLarge(most)
	}
	return body, nil
}

func tooLarge(most int64) *problem {
	return refuse(http.StatusRequestEntityTooLarge, "body_too_large", "a body of more than %d bytes", most)
}
