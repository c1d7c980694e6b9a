package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/mmrun/mmrun/internal/infile"
)

// keys are those of which a request has to have one. Only their hashes are compared, all of them and in the same
// time whatever was sent.
type keys struct{ hashes [][sha256.Size]byte }

func newKeys(all []string) *keys {
	k := &keys{}
	for _, one := range all {
		k.hashes = append(k.hashes, sha256.Sum256([]byte(one)))
	}
	return k
}

// ReadKeys reads a file with a key a line; empty lines and those that begin with # are none.
func ReadKeys(name string) ([]string, error) {
	data, err := infile.Read(name, 1<<20)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, line := range strings.Split(string(data), "\n") {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			all = append(all, line)
		}
	}
	if all == nil {
		return nil, fmt.Errorf("%s: there is no key in it", name)
	}
	return all, nil
}

func (k *keys) check(r *http.Request) *problem {
	if len(k.hashes) == 0 {
		return nil
	}
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	given, ok := sha256.Sum256([]byte(strings.TrimSpace(key))), 0
	for _, one := range k.hashes {
		ok |= subtle.ConstantTimeCompare(given[:], one[:])
	}
	if ok == 1 && strings.EqualFold(scheme, "Bearer") {
		return nil
	}
	return refuse(http.StatusUnauthorized, "invalid_api_key", "the request has no key that is known here: Authorization: Bearer KEY")
}

// checkHost refuses, of a server on loopback, requests by another name: a page of somebody else's whose name was
// made to mean this machine.
func (s *Server) checkHost(r *http.Request) *problem {
	if !s.o.Loopback || r.Host == "" {
		return nil
	}
	name := r.Host
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	name = strings.TrimSuffix(strings.ToLower(strings.Trim(name, "[]")), ".")
	if ip := net.ParseIP(name); name == "localhost" || strings.HasSuffix(name, ".localhost") || ip != nil && ip.IsLoopback() {
		return nil
	}
	return refuse(http.StatusForbidden, "other_host", "the server listens on loopback and is not known as %s", shown([]byte(r.Host)))
}

// allowOrigin lets pages of the origin that may ask read the answer.
func (s *Server) allowOrigin(w http.ResponseWriter, r *http.Request) {
	if s.o.AllowOrigin == "" {
		return
	}
	h := w.Header()
	h.Set("Vary", "Origin")
	if origin := r.Header.Get("Origin"); s.o.AllowOrigin != "*" && origin != s.o.AllowOrigin {
		return
	}
	h.Set("Access-Control-Allow-Origin", s.o.AllowOrigin)
	h.Set("Access-Control-Expose-Headers", "Retry-After")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
		h.Set("Access-Control-Allow-Headers", "Authorization, *") // OpenAI's client tells of itself in headers of its own
		h.Set("Access-Control-Max-Age", "600")
	}
}

// maxSending bounds how long a body takes to arrive, however steadily it comes.
const maxSending = 10 * time.Minute

// A patientReader reads a body whose client has to go on sending.
type patientReader struct {
	r        io.Reader
	c        *http.ResponseController
	patience time.Duration
	end      time.Time
}

// Read implements io.Reader.
func (p *patientReader) Read(b []byte) (int, error) {
	now := time.Now()
	if p.end.IsZero() {
		p.end = now.Add(maxSending)
	}
	until := now.Add(p.patience)
	if until.After(p.end) {
		until = p.end
	}
	p.c.SetReadDeadline(until)
	return p.r.Read(b)
}

// done ends the watch over the client.
func (p *patientReader) done() { p.c.SetReadDeadline(time.Time{}) }

func (p *patientReader) problem(err error) *problem {
	var net net.Error
	if errors.As(err, &net) && net.Timeout() {
		return refuse(http.StatusRequestTimeout, "timeout", "the body did not arrive in time")
	}
	return badField("", "the body cannot be read: %v", err)
}

// A watchedBody is a request's body of which it is known whether all of it was read.
type watchedBody struct {
	io.ReadCloser
	ended bool
}

// Read implements io.Reader.
func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.ended = b.ended || err == io.EOF
	return n, err
}

// unread says whether a client may still be sending.
func unread(r *http.Request) bool {
	b, ok := r.Body.(*watchedBody)
	return ok && !b.ended && r.ContentLength != 0
}

// How much more is read of a client that goes on sending what is refused.
const (
	maxRefused     = 256 << 20
	refusedTimeout = 10 * time.Second
)

// refuseUnread answers a client that may still be sending, and goes on reading for a while: were the connection
// closed before, it would never see the answer.
func (s *Server) refuseUnread(w *answerWriter, r *http.Request, p *problem) {
	c := http.NewResponseController(w.ResponseWriter)
	c.EnableFullDuplex()
	w.Header().Set("Connection", "close")
	p.write(w)
	c.Flush()
	if strings.EqualFold(r.Header.Get("Expect"), "100-continue") || p.status == http.StatusRequestTimeout {
		c.SetReadDeadline(time.Now())
		return // it waits for us, or does not send
	}
	c.SetReadDeadline(time.Now().Add(refusedTimeout))
	io.CopyN(io.Discard, r.Body, maxRefused)
}
