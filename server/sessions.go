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

	"github.com/mmrun/mmrun"
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
	if v, err := s.loadSession(r.Context(), id, false); err == nil {
		return storeProblem(v.ID, fs.ErrExist) // before any work
	}
	return s.withModel(r, model, func(o *opened) error {
		v := &session{ID: id, Model: o.host.Name}
		state, err := s.begun(r.Context(), o, prompts)
		if err != nil {
			return err
		}
		v.put(state)
		return s.created(w, r, v)
	})
}

// created writes a new session and describes it.
func (s *Server) created(w http.ResponseWriter, r *http.Request, v *session) error {
	if err := s.saveSession(r.Context(), v, true); err != nil {
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
	return &saved{trace{known: true}, data}, err
}

// listSessions answers GET /v1/sessions.
func (s *Server) listSessions(w http.ResponseWriter, r *http.Request) error {
	ids, err := s.store.List(r.Context())
	if err != nil {
		return err
	}
	slices.Sort(ids)
	all := []description{}
	for _, id := range ids {
		v, err := s.loadSession(r.Context(), id, false)
		var p *problem
		if errors.As(err, &p) && p.status == http.StatusNotFound {
			continue // it has just gone
		}
		if err != nil {
			return err
		}
		all = append(all, v.describe())
	}
	writeJSON(w, http.StatusOK, listOf[description]{"list", all})
	return nil
}

// getSession answers GET /v1/sessions/{id} with the state's bytes.
func (s *Server) getSession(w http.ResponseWriter, r *http.Request) error {
	v, err := s.loadSession(r.Context(), r.PathValue("id"), true)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(v.data)))
	w.Header().Set("Content-Disposition", `attachment; filename="`+v.ID+`.state"`)
	w.Write(v.data)
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
	var p *problem
	if err != nil && !(errors.As(err, &p) && p.status == http.StatusNotFound) {
		return err
	}
	fresh := was == nil
	model := r.URL.Query().Get("model")
	if model == "" && !fresh {
		model = was.Model
	}
	h, state, err := s.recognize(r.Context(), model, data)
	if err != nil {
		return err
	}
	v := &session{ID: id, Model: h.Name}
	if !fresh {
		v.Created = was.Created
	}
	v.put(state)
	if fresh {
		return s.created(w, r, v)
	}
	if err := s.saveSession(r.Context(), v, false); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, v.describe())
	return nil
}

// recognize finds the model that a state is of, and checks all of it. A name says which model it has to be.
func (s *Server) recognize(ctx context.Context, name string, data []byte) (*host, *saved, error) {
	candidates := s.hosts
	if name != "" {
		h, p := s.findHost(name)
		if p != nil {
			return nil, nil, p
		}
		candidates = []*host{h}
	}
	for _, h := range candidates {
		state, err := h.check(ctx, data)
		switch {
		case errors.Is(err, mmrun.ErrOtherModel):
			continue
		case errors.Is(err, mmrun.ErrRefused):
			return nil, nil, badField("", "%v", err)
		}
		return h, state, err
	}
	return nil, nil, refuse(http.StatusConflict, "other_model", "the state is one of another model")
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
	v = &saved{trace: trace{known: true}, data: data}
	v.follow(state)
	return v, nil
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
	v.ID = id
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
	if err := s.store.Delete(r.Context(), id); err != nil {
		return storeProblem(id, err)
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

// readBody reads a body of so many bytes at the most.
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
