package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/engine"
)

// A problem is an error as a client gets it: a status, and OpenAI's object.
type problem struct {
	status  int
	message string
	kind    string
	param   string // the field that is wrong; empty where it is none
	code    string
	retry   int    // seconds after which it is worth trying again; 0 is no such promise
	allow   string // methods, of a 405
}

func (p *problem) Error() string { return p.message }

// The kinds of errors that OpenAI's API has.
const (
	kindRequest = "invalid_request_error"
	kindLimit   = "rate_limit_error"
	kindServer  = "server_error"
)

// badField says what is wrong with a field of a request.
func badField(param, format string, args ...any) *problem {
	return &problem{status: http.StatusBadRequest, kind: kindRequest, param: param, message: fmt.Sprintf(format, args...)}
}

// refuse is a client's mistake of another kind.
func refuse(status int, code, format string, args ...any) *problem {
	return &problem{status: status, kind: kindRequest, code: code, message: fmt.Sprintf(format, args...)}
}

// unavailable says that the server cannot answer now.
func unavailable(message string, retry int) *problem {
	return &problem{status: http.StatusServiceUnavailable, kind: kindServer, code: "service_unavailable", message: message, retry: retry}
}

// errGone is the cause of a request's end when its client has gone.
var errGone = errors.New("the client has gone")

// errStopping is the cause of a request's end when the server does not wait for it any longer.
var errStopping = errors.New("the server is shutting down")

// problemOf is what a client is told of an error.
func problemOf(err error) *problem {
	var p *problem
	var long *engine.TooLongError
	if form := formProblem(err); form != nil {
		return form
	}
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, errStopping):
		return unavailable(errStopping.Error(), 1)
	case errors.As(err, &long):
		return tooLong(long.Tokens, long.Most)
	case errors.Is(err, mmrun.ErrDeviceLost):
		return unavailable("the device was lost while the answer was made; the model is opened again", 1)
	case errors.Is(err, mmrun.ErrOutOfMemory):
		return unavailable("the device's memory does not do now", 5)
	case errors.Is(err, mmrun.ErrClosed):
		return unavailable("the model was closed while the answer was made", 1)
	case errors.Is(err, context.DeadlineExceeded):
		return unavailable("it took too long", 1)
	}
	return &problem{status: http.StatusInternalServerError, kind: kindServer, message: "internal error"} // the log has it
}

// tooLong says that a prompt does not fit.
func tooLong(tokens, most int64) *problem {
	return &problem{status: http.StatusBadRequest, kind: kindRequest, code: "context_length_exceeded",
		message: fmt.Sprintf("a prompt of %d tokens is longer than the context of %d", tokens, most)}
}

// errorBody is OpenAI's form of an error.
type errorBody struct {
	Error errorFields `json:"error"`
}

type errorFields struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

func (p *problem) body() errorBody {
	return errorBody{errorFields{Message: p.message, Type: p.kind, Param: orNull(p.param), Code: orNull(p.code)}}
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// write sends the error as an answer.
func (p *problem) write(w http.ResponseWriter) {
	if p.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.retry))
	}
	if p.allow != "" {
		w.Header().Set("Allow", p.allow)
	}
	writeJSON(w, p.status, p.body())
}

// writeJSON sends a value as an answer. A client that is gone is no error of ours.
func writeJSON(w http.ResponseWriter, status int, value any) {
	data := encode(value)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	w.Write(data)
}

// encode is a value of ours as JSON, on a line.
func encode(value any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic(err) // no value of ours has what JSON has not
	}
	return out.Bytes()
}
