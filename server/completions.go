package server

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/mmrun/mmrun/tokenizer"
)

// completions answers POST /v1/completions.
func (s *Server) completions(w http.ResponseWriter, r *http.Request) error {
	f, err := s.readFields(w, r)
	if err != nil {
		return err
	}
	c := &call{settings: readSettings(f, completionTokens)}
	c.echo = f.boolean("echo")
	if f.has("logprobs") {
		c.logProbs = readTop(f, "logprobs", -1)
	}
	if text, _ := f.text("suffix"); text != "" {
		f.fail("suffix", "the models here only go on from a prompt")
	}
	prompts := readPrompts(f)
	if f.wrong != nil {
		return f.wrong
	}
	if len(prompts) > 1 && c.session != "" {
		return badField("prompt", "%d prompts cannot all go on in one session", len(prompts))
	}
	c.shown = string(f.raw("prompt"))
	c.questions = func(o *opened, base *saved) ([]question, error) {
		var all []question
		for _, p := range prompts {
			q, err := s.question(o, base, p)
			if err != nil {
				return nil, err
			}
			all = append(all, q)
		}
		return all, nil
	}
	return s.answer(w, r, c)
}

// A prompt is one as it was given: a text, or tokens as JSON; neither is the default.
type prompt struct {
	text   *string
	tokens json.RawMessage
}

// readPrompts reads prompt: a text, tokens, or several of either.
func readPrompts(f *fields) []prompt {
	raw := f.raw("prompt")
	if raw == nil {
		return []prompt{{}}
	}
	if raw[0] != '[' {
		text, _ := f.text("prompt")
		return []prompt{{text: &text}}
	}
	inner := bytes.TrimLeft(raw[1:], " \t\r\n")
	switch {
	case inner[0] == ']':
		f.fail("prompt", "the array is empty")
		return nil
	case inner[0] != '"' && inner[0] != '[':
		return []prompt{{tokens: raw}}
	}
	var prompts []prompt
	for _, value := range f.list("prompt", maxPrompts) {
		var text string
		switch {
		case value[0] == '[':
			prompts = append(prompts, prompt{tokens: value})
		case value[0] == '"' && json.Unmarshal(value, &text) == nil:
			prompts = append(prompts, prompt{text: &text})
		default:
			f.fail("prompt", "%s is neither a text nor an array of token ids", shown(value))
		}
	}
	return prompts
}

// question makes one of a prompt, which goes on from base unless that is nil.
func (s *Server) question(o *opened, base *saved, p prompt) (question, error) {
	q := question{base: base}
	begun := base != nil && base.at > 0
	tok := o.model.Tokenizer()
	var err error
	switch {
	case p.tokens != nil:
		if q.tokens, err = parseTokens(p.tokens, tok.VocabSize()); err != nil {
			return q, badField("prompt", "prompt: %v", err)
		}
		q.text, q.recent = tok.Decode(q.tokens), q.tokens
	case p.text != nil:
		q.text = *p.text
		q.tokens, err = tok.EncodeWith(q.text, tokenizer.Options{Continues: begun, NoEnd: true})
		if err != nil {
			return q, badField("prompt", "prompt: %v", err)
		}
	case !begun:
		q.tokens = beginning(o)
	}
	if len(q.tokens) == 0 && !begun {
		return q, badField("prompt", "prompt: it is empty, and there is nothing to go on from")
	}
	return q, nil
}

// beginning is what stands for no prompt at all, as at OpenAI: the token between texts.
func beginning(o *opened) []int32 {
	tok := o.model.Tokenizer()
	if id, ok := tok.BOS(); ok {
		return []int32{id}
	}
	if id, ok := tok.EOS(); ok {
		return []int32{id}
	}
	if ends := o.model.Sizes().EOS; len(ends) > 0 {
		return ends[:1]
	}
	return nil
}

// chats answers POST /v1/chat/completions.
func (s *Server) chats(w http.ResponseWriter, r *http.Request) error {
	f, err := s.readFields(w, r)
	if err != nil {
		return err
	}
	c := &call{settings: readSettings(f, chatTokens), chat: true}
	if f.has("max_completion_tokens") {
		c.maxTokens = int(f.integer("max_completion_tokens", 0, 1<<31-1, chatTokens))
	}
	if logs := f.boolean("logprobs"); logs {
		c.logProbs = readTop(f, "top_logprobs", 0)
	} else if f.has("top_logprobs") {
		f.fail("top_logprobs", "logprobs is not true")
	}
	messages := readMessages(f)
	if f.wrong != nil {
		return f.wrong
	}
	c.shown = string(f.raw("messages"))
	c.questions = func(o *opened, base *saved) ([]question, error) {
		t := o.host.Template
		c.stop = append(c.stop, t.stop...)
		one, err := t.render(o.model.Tokenizer(), messages)
		if err != nil {
			return nil, err
		}
		if len(one.tokens) == 0 {
			return nil, badField("messages", "messages: the chat template makes nothing of them")
		}
		return []question{{tokens: one.tokens, own: base, marks: one.marks}}, nil
	}
	return s.answer(w, r, c)
}

// tokenize answers POST /tokenize.
func (s *Server) tokenize(w http.ResponseWriter, r *http.Request) error {
	f, err := s.readFields(w, r)
	if err != nil {
		return err
	}
	text, given := "", false
	for _, name := range []string{"content", "text", "prompt"} {
		if one, ok := f.text(name); ok && !given {
			text, given = one, true
		}
	}
	if !given {
		f.fail("content", "there is no text")
	}
	special := f.boolean("add_special")
	model, _ := f.text("model")
	if f.wrong != nil {
		return f.wrong
	}
	return s.withModel(r, model, func(o *opened) error {
		ids, err := o.model.Tokenizer().EncodeWith(text, tokenizer.Options{NoSpecial: !special, NoEnd: true})
		if err != nil {
			return badField("content", "content: %v", err)
		}
		if ids == nil {
			ids = []int32{}
		}
		writeJSON(w, http.StatusOK, map[string]any{"tokens": ids})
		return nil
	})
}

// detokenize answers POST /detokenize.
func (s *Server) detokenize(w http.ResponseWriter, r *http.Request) error {
	f, err := s.readFields(w, r)
	if err != nil {
		return err
	}
	raw := f.raw("tokens")
	if raw == nil {
		f.fail("tokens", "there are none")
	}
	model, _ := f.text("model")
	if f.wrong != nil {
		return f.wrong
	}
	return s.withModel(r, model, func(o *opened) error {
		ids, err := parseTokens(raw, o.model.Tokenizer().VocabSize())
		if err != nil {
			return badField("tokens", "tokens: %v", err)
		}
		writeJSON(w, http.StatusOK, map[string]any{"content": o.model.Tokenizer().DecodeAll(ids)})
		return nil
	})
}

// withModel has f use the model of a name.
func (s *Server) withModel(r *http.Request, name string, f func(o *opened) error) (err error) {
	h, p := s.findHost(name)
	if p != nil {
		return p
	}
	o, err := h.acquire(r.Context())
	if err != nil {
		return err
	}
	defer func() { h.release(o, err) }()
	return f(o)
}
