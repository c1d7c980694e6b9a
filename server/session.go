package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/tokenizer"
)

var sessionID = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$`)

func validID(id string) bool { return sessionID.MatchString(id) }

// A session is a named place where a sequence's tokens and state are kept. As a blob it is a magic, the length of
// its description in four bytes, that description as JSON, and the state as the engine saves it.
type session struct {
	ID      string `json:"id"`
	Model   string `json:"model"`
	Tokens  int64  `json:"tokens"`
	Bytes   int64  `json:"bytes"`
	Created int64  `json:"created"` // in seconds since 1970, as Used
	Used    int64  `json:"used"`
	Digest  digest `json:"digest"`
	Known   bool   `json:"known"` // the digest is that of all tokens

	data []byte
}

// description is a session as clients see it.
type description struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Model   string `json:"model"`
	Tokens  int64  `json:"tokens"`
	Bytes   int64  `json:"bytes"`
	Created int64  `json:"created"`
	Used    int64  `json:"used"`
}

func (v *session) describe() description {
	return description{v.ID, "session", v.Model, v.Tokens, v.Bytes, v.Created, v.Used}
}

// MarshalText writes a digest in hexadecimal digits.
func (d digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText reads one.
func (d *digest) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(d)) {
		return fmt.Errorf("a digest of %d digits, not %d", len(text), hex.EncodedLen(len(d)))
	}
	_, err := hex.Decode(d[:], text)
	return err
}

const (
	sessionMagic = "mmrun session\n"
	maxHeader    = 1 << 16
)

// pack makes the blob of a session.
func (v *session) pack() []byte {
	head, err := json.Marshal(v)
	if err != nil {
		panic(err) // it has numbers and plain strings alone
	}
	out := append([]byte(sessionMagic), binary.LittleEndian.AppendUint32(nil, uint32(len(head)))...)
	return append(append(out, head...), v.data...)
}

// readSession reads a blob: its description, and with whole its state.
func readSession(r io.Reader, whole bool) (*session, error) {
	start := make([]byte, len(sessionMagic)+4)
	if _, err := io.ReadFull(r, start); err != nil || string(start[:len(sessionMagic)]) != sessionMagic {
		return nil, errors.Join(errors.New("not a session"), err)
	}
	n := binary.LittleEndian.Uint32(start[len(sessionMagic):])
	if n > maxHeader {
		return nil, fmt.Errorf("a session's description of %d bytes, more than %d", n, maxHeader)
	}
	head := make([]byte, n)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	v := &session{}
	if err := json.Unmarshal(head, v); err != nil {
		return nil, err
	}
	if !whole {
		return v, nil
	}
	var data bytes.Buffer
	if _, err := io.Copy(&data, io.LimitReader(r, v.Bytes+1)); err != nil {
		return nil, err
	}
	if v.data = data.Bytes(); int64(len(v.data)) != v.Bytes {
		return nil, fmt.Errorf("a session's state has %d bytes, its description says %d", len(v.data), v.Bytes)
	}
	return v, nil
}

// loadSession reads a session from the store.
func (s *Server) loadSession(ctx context.Context, id string, whole bool) (*session, error) {
	if !validID(id) {
		return nil, badID(id)
	}
	r, err := s.store.Open(ctx, id)
	if err != nil {
		return nil, storeProblem(id, err)
	}
	defer r.Close()
	v, err := readSession(r, whole)
	if err != nil {
		return nil, fmt.Errorf("session %s: %w", id, err)
	}
	return v, nil
}

// saveSession writes a session to the store.
func (s *Server) saveSession(ctx context.Context, v *session, create bool) error {
	v.Used, v.Bytes = time.Now().Unix(), int64(len(v.data))
	if create {
		v.Created = v.Used
	}
	return storeProblem(v.ID, s.store.Put(ctx, v.ID, v.pack(), create))
}

func badID(id string) *problem {
	return badField("id", "%q is not an id: 1 to 64 of A-Z a-z 0-9 . _ -, without a dot in front", id)
}

// storeProblem is what a client is told of an error of the store.
func storeProblem(id string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		p := refuse(http.StatusNotFound, "session_not_found", "there is no session %q", id)
		p.param = "session"
		return p
	case errors.Is(err, fs.ErrExist):
		p := refuse(http.StatusConflict, "session_exists", "there is a session %q already", id)
		p.param = "id"
		return p
	case errors.Is(err, ErrStoreFull):
		return &problem{status: http.StatusInsufficientStorage, kind: kindServer, code: "sessions_full",
			message: "there is no room for another session within --state-cache, and no --state-dir or --state-store where it could go"}
	}
	return fmt.Errorf("session %s: %w", id, err)
}

// locks has requests of one session run one after the other.
type locks struct {
	mu  sync.Mutex
	all map[string]*lock
}

type lock struct {
	turn  chan struct{}
	users int
}

// take waits for its turn; the function it returns ends it.
func (l *locks) take(ctx context.Context, id string) (func(), error) {
	l.mu.Lock()
	if l.all == nil {
		l.all = map[string]*lock{}
	}
	one := l.all[id]
	if one == nil {
		one = &lock{turn: make(chan struct{}, 1)}
		l.all[id] = one
	}
	one.users++
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if one.users--; one.users == 0 {
			delete(l.all, id)
		}
	}
	select {
	case one.turn <- struct{}{}:
		return func() { <-one.turn; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}

// A visit is a call's stay in a session, or in none.
type visit struct {
	server  *Server
	host    *host
	session *session // nil without one
	state   *saved
	unlock  func()
}

// visit finds the model of a call, and waits for the session's turn if it has one.
func (s *Server) visit(ctx context.Context, c *call) (*visit, error) {
	if c.session == "" {
		h, p := s.findHost(c.model)
		if p != nil {
			return nil, p
		}
		return &visit{server: s, host: h}, nil
	}
	if c.model != "" {
		if _, p := s.findHost(c.model); p != nil {
			return nil, p
		}
	}
	unlock, err := s.locks.take(ctx, c.session)
	if err != nil {
		return nil, err
	}
	v := &visit{server: s, unlock: unlock}
	if v.session, err = s.loadSession(ctx, c.session, true); err != nil {
		unlock()
		return nil, err
	}
	h, p := s.findHost(v.session.Model)
	if p == nil && c.model != "" && c.model != h.Name {
		p = badField("session", "session %q belongs to model %q", c.session, h.Name)
	}
	if p != nil {
		unlock()
		return nil, p
	}
	v.host = h
	v.state = &saved{trace{v.session.Tokens, v.session.Digest, v.session.Known}, v.session.data}
	return v, nil
}

func (v *visit) leave() {
	if v.unlock != nil {
		v.unlock()
	}
}

// commit makes the answer's end the session's.
func (v *visit) commit(ctx context.Context, a *answering) error {
	if v.session == nil {
		return nil
	}
	one := a.asked[0]
	end := one.ends.atEnd
	if c := one.choices[0]; c.text.Finish == mmrun.FinishStop {
		var err error
		if end, err = v.server.trim(ctx, one, c); err != nil {
			return err
		}
	}
	if end == nil {
		return errors.Join(errors.New("the session's state was not kept"), one.ends.err)
	}
	v.session.put(end)
	return v.server.saveSession(context.WithoutCancel(ctx), v.session, false)
}

// put takes a state into the session.
func (v *session) put(s *saved) {
	v.Tokens, v.Digest, v.Known, v.data = s.at, s.sum, s.known, s.data
}

// trim is the state after an answer that a stop string ended: the session has what the client sees, and of the stop
// string nothing.
func (s *Server) trim(ctx context.Context, a *asked, c *choice) (*saved, error) {
	tokens, err := upTo(c.tok, c.text.Tokens, c.text.String())
	if err != nil {
		return nil, err
	}
	if a.ends.atPrompt == nil {
		return nil, a.ends.err
	}
	return s.read(ctx, a.o, question{tokens: tokens, base: a.ends.atPrompt})
}

// upTo are tokens of a text that others go beyond: the same, as far as they are of it.
func upTo(tok *tokenizer.Tokenizer, tokens []int32, text string) ([]int32, error) {
	stream, n := tok.ContinueStream(), 0
	for i, id := range tokens {
		if n == len(text) {
			return tokens[:i], nil
		}
		piece := len(stream.Push(id))
		if n+piece > len(text) {
			rest, err := tok.EncodeWith(text[n:], tokenizer.Options{Continues: true, Literal: true, NoEnd: true})
			return append(tokens[:i:i], rest...), err
		}
		n += piece
	}
	return tokens, nil
}

// read reads a prompt and returns the state after it.
func (s *Server) read(ctx context.Context, o *opened, q question) (*saved, error) {
	if len(q.tokens) == 0 && q.base != nil {
		return q.base, nil
	}
	a, err := s.ask(ctx, o, q, &settings{n: 1, logProbs: -1, session: "-"}, 0)
	if err != nil {
		return nil, err
	}
	defer a.close()
	if err := a.choices[0].drain(ctx); err != nil {
		return nil, err
	}
	if a.ends.atEnd == nil {
		return nil, errors.Join(errors.New("the state was not kept"), a.ends.err)
	}
	return a.ends.atEnd, nil
}
