package server

import (
	"context"
	"errors"
	"sync"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/tokenizer"
)

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
	if v.host = v.session.host; c.model != "" && c.model != v.host.Name {
		unlock()
		return nil, badField("session", "session %q belongs to model %q", c.session, v.host.Name)
	}
	v.state = &v.session.state
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
	return v.server.saveSession(context.WithoutCancel(ctx), v.session)
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
