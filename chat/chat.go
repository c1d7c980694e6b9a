// Package chat turns a conversation into the text that a model was trained on, by the model's chat
// template: a program in the language of Jinja, with the settings that Hugging Face gives it.
//
// A template is a stranger's program. It can do nothing but make text, and its steps, its memory and its
// time are bounded. What it writes says which parts came with the messages, so that no name of a special
// token in a message is taken for the token.
package chat

import (
	"errors"
	"fmt"
	"time"

	"github.com/mmrun/mmrun/tokenizer"
)

// Template is a chat template. Any number of goroutines may render it.
type Template struct {
	name   string
	body   []stmt
	limits limits

	// Tokens are the special tokens that the template may name, such as bos_token and eos_token. Load
	// fills it; it is not to be changed while the template is rendered.
	Tokens map[string]string
}

// Error is what is wrong with a template, or what a template says is wrong with the messages.
type Error struct {
	Line    int // of the template, from 1; 0 where it is not known
	Message string
}

// Error returns the message with its line.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Message)
}

// at gives an error the line of a statement, if it has none.
func at(line int, err error) error {
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	return &Error{line, oneLine(err.Error())}
}

// maxSource is the longest template in bytes.
const maxSource = 1 << 20

// Parse reads a template; name is what errors call it.
func Parse(name, source string) (*Template, error) {
	if len(source) > maxSource {
		return nil, fmt.Errorf("%s: a template of %d bytes, more than %d", name, len(source), maxSource)
	}
	body, err := parse(source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &Template{name: name, body: body, limits: usual}, nil
}

// Message is one message of a conversation.
type Message struct{ fields *dict }

// NewMessage returns a message of a role, such as "user", and a text.
func NewMessage(role, content string) Message {
	d := newDict()
	_ = d.set(text{s: "role"}, foreign(role))
	_ = d.set(text{s: "content"}, foreign(content))
	return Message{d}
}

// ParseMessages reads a JSON array of objects, each with what the template wants, as a rule role and
// content.
func ParseMessages(data []byte) ([]Message, error) {
	v, err := parseJSON(data)
	if err != nil {
		return nil, err
	}
	l, ok := v.(*list)
	if !ok {
		return nil, errors.New("not a JSON array of messages")
	}
	var out []Message
	for i, item := range l.items {
		d, ok := item.(*dict)
		if !ok {
			return nil, fmt.Errorf("message %d is not a JSON object", i)
		}
		if _, ok := d.get(text{s: "role"}); !ok {
			return nil, fmt.Errorf("message %d has no role", i)
		}
		out = append(out, Message{d})
	}
	return out, nil
}

// Input is what a template is rendered with.
type Input struct {
	Messages         []Message
	GenerationPrompt bool   // end with what begins an answer
	Tools            []byte // a JSON array of tools, or nil
	Vars             []byte // a JSON object of further variables for the template, or nil
	Now              time.Time
}

// Rendered is the text of a conversation.
type Rendered struct {
	Text string
	// Literal are the parts that came with the messages. No special token is in them;
	// tokenizer.Options has a field for them.
	Literal []tokenizer.Span
}

// Render makes the text of a conversation. Errors name the template; [Error] is in them.
func (t *Template) Render(in Input) (Rendered, error) {
	m := &machine{now: in.Now, deadline: time.Now().Add(t.limits.time), steps: t.limits.steps, out: &builder{}}
	if m.now.IsZero() {
		m.now = time.Now()
	}
	s, size, err := t.scope(in)
	if err != nil {
		return Rendered{}, fmt.Errorf("%s: %w", t.name, err)
	}
	m.work = min(t.limits.work+t.limits.each*int64(size), mostWork)
	if _, err := m.run(t.body, s); err != nil {
		return Rendered{}, fmt.Errorf("%s: %w", t.name, err)
	}
	out := m.out.text()
	return Rendered{out.s, out.spans}, nil
}

// scope has the variables that a template begins with; size is that of the messages in bytes, about.
func (t *Template) scope(in Input) (s *scope, size int, err error) {
	around := &scope{vars: globals()}
	s = around.inner()
	for name, token := range t.Tokens {
		s.set(name, text{s: token})
	}
	messages := &list{}
	for _, m := range in.Messages {
		messages.items = append(messages.items, m.fields)
		size += sizeOf(m.fields)
	}
	s.set("messages", messages)
	s.set("add_generation_prompt", in.GenerationPrompt)
	for name, data := range map[string][]byte{"tools": in.Tools, "documents": nil} {
		s.set(name, nil)
		if data == nil {
			continue
		}
		v, err := parseJSON(data)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", name, err)
		}
		s.set(name, v)
		size += len(data)
	}
	if in.Vars == nil {
		return s, size, nil
	}
	v, err := parseJSON(in.Vars)
	d, ok := v.(*dict)
	if err == nil && !ok {
		err = errors.New("not a JSON object")
	}
	if err != nil {
		return nil, 0, fmt.Errorf("further variables: %w", err)
	}
	for _, key := range d.keys {
		s.set(key.(text).s, d.at(key))
	}
	return s, size + len(in.Vars), nil
}

// sizeOf is how many bytes a value of JSON takes, about.
func sizeOf(v any) int {
	n := 16
	switch v := v.(type) {
	case text:
		n += len(v.s)
	case *list:
		for _, item := range v.items {
			n += sizeOf(item)
		}
	case *dict:
		for _, key := range v.keys {
			n += sizeOf(key) + sizeOf(v.at(key))
		}
	}
	return n
}
