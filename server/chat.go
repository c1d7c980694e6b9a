package server

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/mmrun/mmrun/chat"
	"github.com/mmrun/mmrun/tokenizer"
)

// Templates that the server has itself, by the names that --chat-template knows them by.
const (
	ChatML = "chatml"
	Plain  = "plain"
)

// plainSource writes a conversation line by line: role, colon, text.
const plainSource = `{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}` +
	`{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}`

const chatmlSource = `{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}` +
	`{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`

// A Template makes a prompt of a conversation.
type Template struct {
	Name string // what /v1/models says of it: plain, chatml, or where it is from
	chat *chat.Template
	ours bool     // it writes no token of a text's beginning, as models' own do
	stop []string // texts that end an answer, of a template whose marks the model may have no tokens for
}

// BuiltinTemplate returns the server's own template of a name: ChatML or Plain.
func BuiltinTemplate(name string) (*Template, bool) {
	t := &Template{Name: name, ours: true}
	source := ""
	switch name {
	case Plain:
		source, t.stop = plainSource, []string{"\nuser:"}
	case ChatML:
		source, t.stop = chatmlSource, []string{"<|im_end|>"}
	default:
		return nil, false
	}
	var err error
	if t.chat, err = chat.Parse(name, source); err != nil {
		panic(err) // it is ours
	}
	return t, true
}

// NewTemplate returns a template of a model or a file.
func NewTemplate(name string, t *chat.Template) *Template { return &Template{Name: name, chat: t} }

// roles are those that OpenAI's API knows. Templates know no developer: that is the system's new name.
var roles = map[string]string{"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool", "function": "function"}

// readMessages reads a conversation.
func readMessages(f *fields) []chat.Message {
	values := f.list("messages", maxMessages)
	if len(values) == 0 {
		f.fail("messages", "there are none")
		return nil
	}
	all := make([]json.RawMessage, len(values))
	for i, value := range values {
		inner := &fields{path: "messages[" + itoa(i) + "]."}
		if json.Unmarshal(value, &inner.values) != nil || inner.values == nil {
			f.fail("messages", "%s is not an object", shown(value))
			return nil
		}
		all[i] = message(inner)
		if f.take(inner); f.wrong != nil {
			return nil
		}
	}
	data, err := json.Marshal(all)
	if err == nil {
		var messages []chat.Message
		if messages, err = chat.ParseMessages(data); err == nil {
			return messages
		}
	}
	f.fail("messages", "%v", err)
	return nil
}

// message is one message as templates want it: its content is one text.
func message(f *fields) json.RawMessage {
	role, _ := f.text("role")
	if roles[role] == "" {
		f.fail("role", "%q is none of system, developer, user, assistant, tool and function", role)
		return nil
	}
	out := map[string]any{}
	for name, value := range f.values {
		if f.has(name) {
			out[name] = value
		}
	}
	out["role"], out["content"] = roles[role], content(f, role)
	data, err := json.Marshal(out)
	if err != nil {
		f.fail("content", "%v", err)
	}
	return data
}

// content is the text of a message: a string, or parts of which each is a text.
func content(f *fields, role string) string {
	raw := f.raw("content")
	if raw == nil {
		if role != "assistant" {
			f.fail("content", "there is none")
		}
		return ""
	}
	if raw[0] != '[' {
		text, _ := f.text("content")
		return text
	}
	var whole strings.Builder
	for i, value := range f.list("content", maxMessages) {
		part := &fields{path: f.path + "content[" + itoa(i) + "]."}
		if json.Unmarshal(value, &part.values) != nil {
			f.fail("content", "%s is not an object", shown(value))
			return ""
		}
		if kind, _ := part.text("type"); kind != "text" {
			part.fail("type", "%q is not text, and the model reads nothing else", kind)
		}
		text, ok := part.text("text")
		if !ok {
			part.fail("text", "there is none")
		}
		whole.WriteString(text)
		f.take(part)
	}
	return whole.String()
}

// render makes the tokens of a conversation's prompt.
func (t *Template) render(tok *tokenizer.Tokenizer, messages []chat.Message) (conversation, error) {
	rendered, err := t.chat.Render(chat.Input{Messages: messages, GenerationPrompt: true})
	if err != nil {
		return conversation{}, badTemplate(err)
	}
	c := conversation{template: t, tok: tok, messages: messages, text: rendered.Text}
	c.tokens, err = t.encode(tok, rendered)
	return c, err
}

// badTemplate is what a template says is wrong with the messages.
func badTemplate(err error) error {
	var own *chat.Error
	if errors.As(err, &own) {
		return badField("messages", "the chat template refuses the messages: %v", err)
	}
	return badField("messages", "%v", err)
}

// encode makes tokens of a rendered text, where what came with the messages is text alone.
func (t *Template) encode(tok *tokenizer.Tokenizer, r chat.Rendered) ([]int32, error) {
	ids, err := tok.EncodeWith(r.Text, tokenizer.Options{LiteralSpans: r.Literal, NoEnd: true, NoSpecial: !t.ours})
	if err != nil {
		return nil, badField("messages", "%v", err)
	}
	return ids, nil
}

// A conversation is one that was rendered.
type conversation struct {
	template *Template
	tok      *tokenizer.Tokenizer
	messages []chat.Message
	text     string
	tokens   []int32
}

// markBytes bounds how much text is rendered again to find where messages end.
const markBytes = 4 << 20

// marks are the numbers of tokens after which a message ends, beyond the first known tokens and in ascending
// order. Those of a message are found by rendering the conversation up to it, from the last one backwards, unless
// the template does not write messages one after the other.
func (c conversation) marks(known int) []int {
	var marks []int
	budget := markBytes
	for n := len(c.messages); n > 0; n-- {
		rendered, err := c.template.chat.Render(chat.Input{Messages: c.messages[:n]})
		if err != nil || !strings.HasPrefix(c.text, rendered.Text) {
			continue // the template refuses a part of a conversation, or writes it otherwise
		}
		if budget -= len(rendered.Text); budget < 0 {
			break
		}
		ids, err := c.template.encode(c.tok, rendered)
		if err != nil || len(ids) > len(c.tokens) || !slices.Equal(ids, c.tokens[:len(ids)]) {
			continue // what follows becomes one token with the end
		}
		if len(ids) <= known {
			break
		}
		if len(ids) < len(c.tokens) {
			marks = append(marks, len(ids))
		}
	}
	slices.Sort(marks)
	return slices.Compact(marks)
}
