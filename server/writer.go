package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// A reported error has been told to the client.
type reported struct{ error }

// Unwrap is the error itself.
func (r *reported) Unwrap() error { return r.error }

// gone is the error of a client that does not read.
func gone(err error) error { return fmt.Errorf("%w: %w", errGone, err) }

// A note is what a line of the log says of a request.
type note struct {
	model                     string
	prompt, cached, generated int
	text                      string
	err                       error
}

type noteKey struct{}

// noteOf is the note of a request.
func noteOf(r *http.Request) *note {
	if n, ok := r.Context().Value(noteKey{}).(*note); ok {
		return n
	}
	return &note{}
}

// An answerWriter writes an answer, remembers its status, and gives up clients that do not take it.
type answerWriter struct {
	http.ResponseWriter
	server   *Server
	request  *http.Request
	endpoint string
	begun    time.Time
	note     *note
	status   int
	sent     int64
}

// begins prepares the answer to a request at a route, which is nil where there is none.
func (s *Server) begins(w http.ResponseWriter, r *http.Request, t *route) *answerWriter {
	n := &note{}
	r = r.WithContext(context.WithValue(r.Context(), noteKey{}, n))
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &watchedBody{ReadCloser: r.Body}
	}
	endpoint := "other"
	if t != nil {
		endpoint = t.path
	}
	return &answerWriter{ResponseWriter: w, server: s, request: r, endpoint: endpoint, begun: time.Now(), note: n}
}

// plain is an error as the log has it: what a client is told may have its own words, which belong there only if
// prompts do.
func (s *Server) plain(err error) string {
	var p *problem
	if !errors.As(err, &p) || s.o.LogPrompts || p.status >= 500 {
		return err.Error()
	}
	text := p.kind
	for _, one := range []string{p.code, p.param} {
		if one != "" {
			text += " " + one
		}
	}
	return text
}

// WriteHeader implements http.ResponseWriter.
func (w *answerWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (w *answerWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.server.o.WriteTimeout))
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// ended writes the request's line in the log. A panic becomes an answer, too.
func (w *answerWriter) ended() {
	if p := recover(); p != nil {
		w.note.err = fmt.Errorf("internal error: %v", p)
		w.server.log.Error("panic", "error", p, "stack", string(debug.Stack()))
		said := &problem{status: http.StatusInternalServerError, kind: kindServer, message: "internal error"}
		switch {
		case w.status == 0:
			said.write(w)
		case w.Header().Get("Content-Type") == eventStream:
			w.Write([]byte("data: " + string(encode(said.body())) + "\n"))
		default:
			defer panic(http.ErrAbortHandler) // what was sent is no answer, and its end must not look like one
		}
	}
	status := w.status
	if status == 0 {
		status = statusGone // nobody was there to be told
	}
	w.server.metrics.answered(w.endpoint, status)
	level, attrs := slog.LevelInfo, []any{"method", w.request.Method, "path", w.request.URL.Path, "status", status,
		"seconds", time.Since(w.begun).Seconds(), "bytes", w.sent, "from", w.request.RemoteAddr}
	if n := w.note; n.model != "" {
		attrs = append(attrs, "model", n.model, "prompt", n.prompt, "cached", n.cached, "generated", n.generated)
		if w.server.o.LogPrompts {
			attrs = append(attrs, "text", n.text)
		}
	}
	if err := w.note.err; err != nil {
		attrs = append(attrs, "error", w.server.plain(err))
		if status == http.StatusInternalServerError {
			level = slog.LevelError
		}
	}
	w.server.log.Log(w.request.Context(), level, "request", attrs...)
}
