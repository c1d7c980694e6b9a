package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"
)

// A call is one request for completions, of either kind.
type call struct {
	settings
	chat      bool
	questions func(o *opened, base *saved) ([]question, error)
	shown     string // the prompt, for logs that may have it
}

// A reply is OpenAI's form of an answer, and of a part of one in a stream.
type reply struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	Model   string `json:"model"`
	Choices []any  `json:"choices"`
	Usage   any    `json:"usage,omitempty"`
}

// usage is how many tokens there were.
type usage struct {
	Prompt     int         `json:"prompt_tokens"`
	Completion int         `json:"completion_tokens"`
	Total      int         `json:"total_tokens"`
	Details    usageCached `json:"prompt_tokens_details"`
}

type usageCached struct {
	Cached int `json:"cached_tokens"`
}

// null is a null that stands in an answer, where nothing would leave the field out.
type null struct{}

// MarshalJSON writes null.
func (null) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// newID is a name that cannot be guessed.
func newID(prefix string) string {
	var b [16]byte
	rand.Read(b[:])
	return prefix + hex.EncodeToString(b[:])
}

// answer answers a call.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, c *call) (err error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(errGone)
	leave, err := s.enter(cancel)
	if err != nil {
		return err
	}
	defer leave()
	visit, err := s.visit(ctx, c)
	if err != nil {
		return err
	}
	defer visit.leave()
	o, err := visit.host.acquire(ctx)
	if err != nil {
		return err
	}
	defer func() { visit.host.release(o, err) }()
	a, err := s.begin(ctx, o, visit, c)
	if err != nil {
		return err
	}
	defer a.close()
	if c.stream {
		err = a.stream(ctx, w)
	} else {
		err = a.whole(ctx, w)
	}
	a.note(noteOf(r))
	return err
}

// An answering is a call while it is answered.
type answering struct {
	server  *Server
	call    *call
	visit   *visit
	asked   []*asked
	reply   reply
	choices []*choice
}

// begin begins all answers.
func (s *Server) begin(ctx context.Context, o *opened, v *visit, c *call) (*answering, error) {
	questions, err := c.questions(o, v.state)
	if err != nil {
		return nil, err
	}
	if n := len(questions) * c.n; n > maxChoices {
		return nil, badField("n", "%d answers to %d prompts are more than %d", c.n, len(questions), maxChoices)
	}
	if err := checkBias(c.sample.Bias, o.model.Tokenizer().VocabSize()); err != nil {
		return nil, err
	}
	a := &answering{server: s, call: c, visit: v, reply: reply{ID: newID("cmpl-"), Object: "text_completion", Created: time.Now().Unix(), Model: o.host.Name}}
	if c.chat {
		a.reply.ID, a.reply.Object = newID("chatcmpl-"), "chat.completion"
	}
	for i, q := range questions {
		one, err := s.ask(ctx, o, q, &c.settings, i*c.n)
		if err != nil {
			a.close()
			return nil, err
		}
		a.asked = append(a.asked, one)
		a.choices = append(a.choices, one.choices...)
	}
	return a, nil
}

// checkBias refuses a bias of tokens that there are not.
func checkBias(bias map[int32]float32, vocab int) error {
	for id := range bias {
		if int(id) >= vocab {
			return badField("logit_bias", "logit_bias: token id %d is outside the vocabulary of %d", id, vocab)
		}
	}
	return nil
}

func (a *answering) close() {
	for _, one := range a.asked {
		one.close()
	}
}

// usage counts tokens: those of a prompt once, those of all its answers.
func (a *answering) usage() usage {
	var u usage
	for _, one := range a.asked {
		u.Prompt += one.prompt
		u.Details.Cached += one.cached
		for _, c := range one.choices {
			u.Completion += len(c.text.Tokens)
		}
	}
	u.Total = u.Prompt + u.Completion
	return u
}

// whole sends the answers at once.
func (a *answering) whole(ctx context.Context, w http.ResponseWriter) error {
	for _, c := range a.choices {
		var all piece
		for all.finish == "" {
			p, err := c.next(ctx)
			if err != nil {
				return err
			}
			all.text += p.text
			all.tokens = append(all.tokens, p.tokens...)
			all.finish = p.finish
		}
		a.reply.Choices = append(a.reply.Choices, a.form(c, all))
	}
	if err := a.settle(ctx); err != nil {
		return err
	}
	a.reply.Usage = a.usage()
	writeJSON(w, http.StatusOK, a.reply)
	return nil
}

// settle waits until all states are kept, and gives the session its own.
func (a *answering) settle(ctx context.Context) error {
	for _, c := range a.choices {
		if err := c.drain(ctx); err != nil {
			return err
		}
	}
	return a.visit.commit(ctx, a)
}

// note says what a line of the log and the metrics should have.
func (a *answering) note(n *note) {
	u := a.usage()
	n.prompt, n.cached, n.generated, n.model = u.Prompt, u.Details.Cached, u.Completion, a.reply.Model
	n.text = a.call.shown
	a.server.metrics.prompt.Add(float64(u.Prompt - u.Details.Cached))
	a.server.metrics.cached.Add(float64(u.Details.Cached))
}

func itoa(n int) string { return strconv.Itoa(n) }
