package main

import (
	"context"
	"errors"
	"slices"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/chat"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/server"
	"github.com/mmrun/mmrun/tokenizer"
)

// spoken is one message of a conversation.
type spoken struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

const (
	roleSystem    = "system"
	roleUser      = "user"
	roleAssistant = "assistant"
)

// talk is a conversation with the state that the model has of it.
type talk struct {
	*opened
	tok      *tokenizer.Tokenizer
	template *server.Template
	options  engine.GenerateOptions

	system   string
	messages []spoken
	retries  uint64 // of the last answer: each has a seed of its own

	state *engine.State
	known []int32 // the tokens that are in the state
	marks []mark  // places to go back to, in order

	turn turn
}

// turn is what the last answer took.
type turn struct {
	read int     // tokens
	rate float64 // tokens written a second
}

// mark is the state after the first tokens of a conversation.
type mark struct {
	tokens int
	state  *engine.State
}

// mostMarks bounds how many states are kept: the last turns can be done again without reading what is before them.
const mostMarks = 8

// errNothingToRetry is the error of a retry before the first message.
var errNothingToRetry = errors.New("there is no message to answer")

// reply answers a message. Each piece of the answer goes to show as soon as it is certain. Where ctx ends, what there
// is of the answer is the answer; where nothing can be answered, the conversation is as before.
func (t *talk) reply(ctx context.Context, message string, show func(string) error) (*mmrun.Text, error) {
	t.messages = append(t.messages, spoken{roleUser, message})
	t.retries = 0
	text, err := t.answer(ctx, show)
	if text == nil {
		t.messages = t.messages[:len(t.messages)-1]
	}
	return text, err
}

// retry answers the last message again, otherwise.
func (t *talk) retry(ctx context.Context, show func(string) error) (*mmrun.Text, error) {
	n := len(t.messages)
	if n == 0 {
		return nil, errNothingToRetry
	}
	before := t.messages
	if t.messages[n-1].Role == roleAssistant {
		t.messages = t.messages[: n-1 : n-1]
	}
	t.retries++
	text, err := t.answer(ctx, show)
	if text == nil {
		t.messages = before
	}
	return text, err
}

// answer writes the answer to the last message and adds it.
func (t *talk) answer(ctx context.Context, show func(string) error) (*mmrun.Text, error) {
	ids, err := t.template.Encode(t.tok, t.prompt())
	if err != nil {
		return nil, err
	}
	if err := t.read(ctx, ids); err != nil {
		return nil, err
	}
	before := t.state.Timings()
	o := t.options
	o.Sample.Seed += t.retries
	text := mmrun.NewText(t.tok, t.template.Stop())
	var failed error
	for id, err := range t.Generate(ctx, t.state, nil, o) {
		if failed = err; err != nil {
			break
		}
		t.known = append(t.known, id)
		if failed = show(text.Add(id)); failed != nil || text.Finish != "" {
			break
		}
	}
	interrupted := failed != nil && errors.Is(failed, ctx.Err())
	if failed != nil && !interrupted {
		return nil, failed
	}
	spent := t.state.Timings()
	t.turn.rate = perSecond(spent.GeneratedTokens-before.GeneratedTokens, spent.Generate-before.Generate)
	err = show(text.End(o.MaxTokens, interrupted, false))
	t.messages = append(t.messages, spoken{roleAssistant, text.String()})
	return text, err
}

// prompt are the messages as the template takes them.
func (t *talk) prompt() []chat.Message {
	var all []chat.Message
	if t.system != "" {
		all = append(all, chat.NewMessage(roleSystem, t.system))
	}
	for _, m := range t.messages {
		all = append(all, chat.NewMessage(m.Role, m.Content))
	}
	return all
}

// read brings the state to the end of the tokens. It goes on from what it has of them, or from the last place to go
// back to that is on the way.
func (t *talk) read(ctx context.Context, ids []int32) error {
	begins := func(n int) bool { return n <= len(ids) && slices.Equal(t.known[:n], ids[:n]) }
	for len(t.marks) > 0 && !begins(t.marks[len(t.marks)-1].tokens) {
		t.marks[len(t.marks)-1].state.Close()
		t.marks = t.marks[:len(t.marks)-1]
	}
	if !begins(len(t.known)) {
		if err := t.goBack(); err != nil {
			return err
		}
	}
	o := engine.GenerateOptions{Progress: t.options.Progress}
	fresh := ids[len(t.known):]
	t.turn.read = len(fresh)
	if len(fresh) > 0 {
		for _, err := range t.Generate(ctx, t.state, fresh, o) {
			if err != nil {
				return errors.Join(err, t.forget())
			}
		}
		t.known = slices.Clone(ids)
	}
	if n := len(t.marks); n > 0 && t.marks[n-1].tokens == len(ids) {
		return nil
	}
	state, err := t.state.Clone()
	if err != nil {
		return err
	}
	if len(t.marks) == mostMarks {
		t.marks[0].state.Close()
		t.marks = t.marks[1:]
	}
	t.marks = append(t.marks, mark{len(ids), state})
	return nil
}

// goBack makes the state that of the last mark, or empty where there is none.
func (t *talk) goBack() error {
	n := len(t.marks)
	if n == 0 {
		return t.forget()
	}
	state, err := t.marks[n-1].state.Clone()
	if err != nil {
		return err
	}
	t.state.Close()
	t.state, t.known = state, t.known[:t.marks[n-1].tokens]
	return nil
}

// forget makes the state empty: what was said is read again.
func (t *talk) forget() error {
	t.known = nil
	t.dropMarks()
	return t.state.Reset()
}

func (t *talk) dropMarks() {
	for _, m := range t.marks {
		m.state.Close()
	}
	t.marks = nil
}

// fork is another conversation that goes on from here.
func (t *talk) fork() (*talk, error) {
	state, err := t.state.Clone()
	if err != nil {
		return nil, err
	}
	other := *t
	other.state, other.marks = state, nil
	other.messages, other.known = slices.Clone(t.messages), slices.Clone(t.known)
	return &other, nil
}

// end frees the states.
func (t *talk) end() {
	t.dropMarks()
	t.state.Close()
}
