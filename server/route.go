package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A handler answers a request, or returns why it cannot.
type handler func(w http.ResponseWriter, r *http.Request) error

// A route is a path whose parts may be names, such as {id}, and what answers there by method.
type route struct {
	path    string
	open    bool // no key is asked for
	methods map[string]handler
}

func (s *Server) table() []route {
	type by = map[string]handler
	routes := []route{
		{"/v1/models", false, by{"GET": s.listModels}},
		{"/v1/models/{id}", false, by{"GET": s.getModel}},
		{"/v1/completions", false, by{"POST": s.completions}},
		{"/v1/chat/completions", false, by{"POST": s.chats}},
		{"/v1/sessions", false, by{"GET": s.listSessions, "POST": s.createSession}},
		{"/v1/sessions/{id}", false, by{"GET": s.getSession, "PUT": s.putSession, "DELETE": s.deleteSession}},
		{"/v1/sessions/{id}/fork", false, by{"POST": s.forkSession}},
		{"/v1/sessions/{id}/notes", false, by{"GET": s.sessionNotes}},
		{"/v1/notes", false, by{"POST": s.notes}},
		{"/tokenize", false, by{"POST": s.tokenize}},
		{"/detokenize", false, by{"POST": s.detokenize}},
		{"/health", true, by{"GET": s.health}},
		{"/ready", true, by{"GET": s.isReady}},
		{"/metrics", true, by{"GET": s.metrics.serve}},
	}
	return append(routes, pageRoutes()...)
}

// find is the route of a request, and the parts of its path that have names.
func (s *Server) find(r *http.Request) (*route, map[string]string) {
	parts := strings.Split(r.URL.EscapedPath(), "/")
	for i := range s.routes {
		if values, ok := s.routes[i].match(parts); ok {
			return &s.routes[i], values
		}
	}
	return nil, nil
}

// match compares a path part by part as it was sent: a slash that is escaped is one of a name.
func (t *route) match(parts []string) (map[string]string, bool) {
	want := strings.Split(t.path, "/")
	if len(want) != len(parts) {
		return nil, false
	}
	values := map[string]string{}
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		name, named := strings.CutPrefix(want[i], "{")
		switch {
		case err != nil:
			return nil, false
		case named && plain != "":
			values[strings.TrimSuffix(name, "}")] = plain
		case plain != want[i]:
			return nil, false
		}
	}
	return values, true
}

// allowed are the methods of a route, in order.
func (t *route) allowed() string {
	var names []string
	for name := range t.methods {
		names = append(names, name)
		if name == "GET" {
			names = append(names, "HEAD")
		}
	}
	names = append(names, "OPTIONS")
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t, values := s.find(r)
	out := s.begins(w, r, t)
	defer out.ended()
	err := s.serve(out, out.request, t, values)
	if err == nil {
		return
	}
	out.note.err = err
	var said *reported
	p := problemOf(err)
	slow := p.status == http.StatusRequestTimeout // which ends the request's context, too
	if out.status != 0 || errors.As(err, &said) || r.Context().Err() != nil && !slow {
		return // it was told, or there is nobody to tell
	}
	if unread(out.request) {
		s.refuseUnread(out, out.request, p)
		return
	}
	p.write(out)
}

// serve finds what answers a request and lets it.
func (s *Server) serve(w *answerWriter, r *http.Request, t *route, values map[string]string) error {
	if p := s.checkHost(r); p != nil {
		return p
	}
	s.allowOrigin(w, r)
	if t == nil {
		return refuse(http.StatusNotFound, "not_found", "there is nothing at %s", shown([]byte(r.URL.Path)))
	}
	if r.Method == http.MethodOptions {
		w.Header().Set("Allow", t.allowed())
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	h := t.methods[method]
	if h == nil {
		return &problem{status: http.StatusMethodNotAllowed, kind: kindRequest, code: "method_not_allowed", allow: t.allowed(),
			message: "only " + t.allowed() + " are allowed at " + t.path}
	}
	if !t.open {
		if p := s.keys.check(r); p != nil {
			w.Header().Set("WWW-Authenticate", "Bearer")
			return p
		}
		if s.isDraining() {
			w.Header().Set("Connection", "close")
			return unavailable(errStopping.Error(), 1)
		}
	}
	for name, value := range values {
		r.SetPathValue(name, value)
	}
	return h(w, r)
}

func (s *Server) isDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}

// readiness is what /ready tells. A store that cannot be used is told of and no more: all servers that share it would
// leave at once, with all that needs no store.
type readiness struct {
	Status string `json:"status"`
	Store  string `json:"state_store"`
}

const checkPatience = time.Second

func (s *Server) isReady(w http.ResponseWriter, r *http.Request) error {
	if !s.ready() {
		return unavailable("no model can answer now", 1)
	}
	ctx, cancel := context.WithTimeout(r.Context(), checkPatience)
	defer cancel()
	answer := readiness{"ready", "ok"}
	if s.store.Check(ctx) != nil {
		answer.Store = "unreachable"
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}
