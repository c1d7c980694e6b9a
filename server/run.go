package server

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/engine"
)

// stateEvery is after how many tokens a state is kept wherever a sequence goes.
const stateEvery = 512

// A question is a prompt to be continued.
type question struct {
	tokens []int32               // all of the prompt, or what is new in a session that goes on from base
	base   *saved                // a session's state; nil at the beginning
	own    *saved                // a session's state that tokens may begin with; nil without one
	marks  func(known int) []int // after how many tokens messages end; may be nil
	text   string                // for echo
	recent []int32               // tokens before the answer whose last character may be cut
}

// An asked is a question with all its answers.
type asked struct {
	o        *opened
	settings *settings
	cached   int // tokens of the prompt that were not computed
	prompt   int // tokens of the prompt
	choices  []*choice
	ends     *recorder // of the only choice
}

// ask begins the answers to a question, whose choices have the numbers from first on.
func (s *Server) ask(ctx context.Context, o *opened, q question, set *settings, first int) (*asked, error) {
	score := set.echo && set.logProbs >= 0
	var start saved
	rest := q.tokens
	switch {
	case q.base != nil:
		start = *q.base
	case !score:
		start = s.cache.longest(o.model.Fingerprint(), q.tokens, q.own)
		rest = q.tokens[start.at:]
	}
	a := &asked{o: o, settings: set, cached: int(start.at), prompt: int(start.at) + len(rest)}
	room := min(int64(s.o.MaxContext), o.model.Sizes().MaxTokens) - int64(a.prompt)
	if room < 0 {
		return nil, tooLong(int64(a.prompt), int64(a.prompt)+room)
	}
	most := int(min(int64(set.maxTokens), room))
	r := engine.Request{Prompt: rest, LogProbs: set.logProbs, ScorePrompt: score, Options: engine.GenerateOptions{Sample: set.sample}}
	r.Options.Sample.Vocab = o.model.Tokenizer().VocabSize() // rows beyond it are padding
	a.ends = &recorder{server: s, model: o.model.Fingerprint(), session: set.session != "", promptEnd: int64(a.prompt)}
	if start.data != nil {
		a.ends.atPrompt = &start // unless there is more of it
	}
	a.ends.attach(&r, q.marksAfter(int(start.at)))
	if set.n == 1 {
		r.Options.MaxTokens = most
		c, err := s.submit(ctx, a, q, r, start, first)
		if err != nil {
			return nil, err
		}
		a.choices = []*choice{c}
		return a, nil
	}
	return a, s.askMany(ctx, a, q, r, start, first, most)
}

// marksAfter are the ends of messages counted from after the first known tokens.
func (q question) marksAfter(known int) []int {
	if q.marks == nil {
		return nil
	}
	marks := q.marks(known)
	for i := range marks {
		marks[i] -= known
	}
	return marks
}

// askMany reads the prompt once and begins several answers from its end.
func (s *Server) askMany(ctx context.Context, a *asked, q question, r engine.Request, start saved, first, most int) error {
	var end *saved
	before := r.End
	r.End = func(state *engine.State) {
		if before != nil {
			before(state)
		}
		if data, err := state.MarshalBinary(); err == nil {
			end = &saved{traceOf(state), data}
		} else {
			a.ends.err = err
		}
	}
	c, err := s.submit(ctx, a, q, r, start, first)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.drain(ctx); err != nil {
		return err
	}
	if end == nil {
		return errors.Join(errors.New("the prompt's state was not kept"), a.ends.err)
	}
	each := engine.Request{LogProbs: r.LogProbs, Options: r.Options}
	each.Options.MaxTokens = most
	for i := range a.settings.n {
		if i > 0 {
			each.Options.Sample.Seed = a.settings.sample.Seed + uint64(i)
		}
		one, err := s.submit(ctx, a, q, each, *end, first+i)
		if err != nil {
			for _, c := range a.choices {
				c.close()
			}
			return err
		}
		one.echoed = c.scored()
		a.choices = append(a.choices, one)
	}
	return nil
}

// submit hands a request to the scheduler.
func (s *Server) submit(ctx context.Context, a *asked, q question, r engine.Request, start saved, index int) (*choice, error) {
	ctx, cancel := context.WithCancel(ctx)
	tok := a.o.model.Tokenizer()
	c := &choice{index: index, cancel: cancel, tok: tok, most: r.Options.MaxTokens, logs: r.LogProbs >= 0}
	fail := func(err error) (*choice, error) {
		cancel()
		return nil, err
	}
	c.text = mmrun.NewText(tok, a.settings.stop, q.recent...)
	if a.settings.echo {
		c.echo = q.text
		if c.logs {
			c.asked = q.tokens
		}
	}
	if r.Options.MaxTokens > 0 {
		stop := mmrun.NewText(tok, a.settings.stop, q.recent...) // a second one: this runs where the scheduler does
		r.Until = s.watch(stop, time.Now())
		form, err := a.settings.form.constraint(a.o)
		if err != nil {
			return fail(err)
		}
		r.Options.Sample.Constraint = form
	}
	r.Saved = start.data
	var err error
	if c.stream, err = a.o.scheduler.Submit(ctx, r); err != nil {
		return fail(err)
	}
	return c, nil
}

// watch measures when tokens come, and says when a stop string has.
func (s *Server) watch(text *mmrun.Text, asked time.Time) func(id int32) bool {
	last, first := asked, true
	return func(id int32) bool {
		now := time.Now()
		if first {
			s.metrics.firstToken.Observe(now.Sub(last).Seconds())
		} else {
			s.metrics.nextToken.Observe(now.Sub(last).Seconds())
		}
		last, first = now, false
		s.metrics.generated.Inc()
		if len(text.Stop) > 0 {
			text.Add(id)
		}
		return text.Finish != ""
	}
}

// drain takes what is left of a stream, to its end.
func (c *choice) drain(ctx context.Context) error {
	for {
		_, err := c.stream.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return causeOf(ctx, err)
		}
	}
}

// causeOf is why a context ended, if it did, and the error else.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// close ends all answers and frees what they have.
func (a *asked) close() {
	for _, c := range a.choices {
		c.close()
	}
}

// A recorder keeps the states that a request comes through. It is the scheduler's goroutine that calls it.
type recorder struct {
	server    *Server
	model     [32]byte
	session   bool // the states at the prompt's end and at the answer's are kept for it
	promptEnd int64
	atPrompt  *saved
	atEnd     *saved
	err       error
}

// attach has a request call the recorder at the end of every message, at the prompt's and at the answer's, and
// now and then between.
func (r *recorder) attach(q *engine.Request, marks []int) {
	if r.server.cache.most == 0 && !r.session {
		return
	}
	q.Every, q.Checkpoint, q.End = stateEvery, r.checkpoint, r.end
	for _, at := range marks {
		if at > 0 && at < len(q.Prompt) {
			q.Checkpoints = append(q.Checkpoints, at)
		}
	}
	if len(q.Prompt) > 0 {
		q.Checkpoints = append(q.Checkpoints, len(q.Prompt))
	}
}

func (r *recorder) checkpoint(s *engine.State) {
	if kept := r.keep(s, r.session && s.Position() == r.promptEnd); kept != nil && s.Position() == r.promptEnd {
		r.atPrompt = kept
	}
}

func (r *recorder) end(s *engine.State) {
	r.atEnd = r.keep(s, r.session)
}

// keep puts a state into the cache, and returns it where it is needed.
func (r *recorder) keep(s *engine.State, needed bool) *saved {
	at := traceOf(s)
	p := place{r.model, at.sum}
	if !needed && r.server.cache.has(p) {
		return nil
	}
	data, err := s.MarshalBinary()
	if err != nil {
		r.err = err
		return nil
	}
	r.server.cache.put(p, data)
	return &saved{at, data}
}
