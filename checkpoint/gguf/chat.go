package gguf

import (
	"encoding/json"
	"fmt"
	"io/fs"
)

// The small files of a model that are made up from the metadata.
const (
	configName    = "config.json"
	settingsName  = "tokenizer_config.json"
	templateName  = "chat_template.jinja"
	templateField = "tokenizer.chat_template"
)

// template is the chat template; the error is fs.ErrNotExist when there is none.
func (m *model) template() ([]byte, error) {
	f := m.metadata()
	text := f.Text(templateField)
	switch {
	case f.err != nil:
		return nil, f.err
	case text == "":
		return nil, fmt.Errorf("%s: %w", templateField, fs.ErrNotExist)
	}
	return []byte(text), nil
}

// settings are the special tokens by the names that tokenizer_config.json has for them.
func (m *model) settings() ([]byte, error) {
	f := m.metadata()
	tokens, _ := field(f, "tokenizer.ggml.tokens", "an array of strings", value.texts)
	s := m.special(f)
	if f.err != nil {
		return nil, f.err
	}
	keys := map[string]any{"tokenizer_class": "PreTrainedTokenizerFast"}
	if f.Text(modelField) == "t5" { // as llama.cpp has it where the metadata do not say
		keys["add_bos_token"], keys["add_eos_token"] = false, true
	}
	for name, id := range map[string]int32{"bos_token": s.bos, "eos_token": s.eos, "unk_token": s.unknown, "pad_token": s.pad} {
		if id >= 0 {
			keys[name] = tokens[id]
		}
	}
	for key, from := range map[string]string{"add_bos_token": "tokenizer.ggml.add_bos_token", "add_eos_token": "tokenizer.ggml.add_eos_token"} {
		if b := f.Bool(from); b != nil {
			keys[key] = *b
		}
	}
	if f.err != nil {
		return nil, f.err
	}
	return json.MarshalIndent(keys, "", "  ")
}
