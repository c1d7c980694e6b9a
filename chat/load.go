package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Names of the files that a template is in.
const (
	templateName = "chat_template.jinja"
	configName   = "tokenizer_config.json"
)

// defaultName is the template that counts where a file has several.
const defaultName = "default"

// Load reads the chat template of a folder: chat_template.jinja, or that in tokenizer_config.json, of a
// list of them the one named "default". The special tokens come from tokenizer_config.json. path makes of
// a file's name what errors call it. The error wraps [fs.ErrNotExist] when the folder has no template.
func Load(folder fs.FS, path func(name string) string) (*Template, error) {
	c := config{}
	data, err := fs.ReadFile(folder, configName)
	if err == nil {
		err = json.Unmarshal(bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF")), &c)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", path(configName), reason(err))
	}
	name := templateName
	source, err := fs.ReadFile(folder, templateName)
	if errors.Is(err, fs.ErrNotExist) {
		name = configName
		source, err = c.template()
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path(name), reason(err))
	case source == nil:
		return nil, missingError(fmt.Sprintf("%s: no such file, nor is there a chat_template in %s", path(templateName), configName))
	}
	t, err := Parse(path(name), string(source))
	if err == nil {
		t.Tokens, err = c.tokens()
	}
	return t, err
}

// missingError says that a folder has no template.
type missingError string

func (e missingError) Error() string        { return string(e) }
func (e missingError) Is(target error) bool { return target == fs.ErrNotExist }

// reason is an error without the name of its file.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// config is a tokenizer_config.json.
type config map[string]json.RawMessage

// template is the field chat_template; nil when there is none.
func (c config) template() ([]byte, error) {
	data := c["chat_template"]
	if data == nil || string(data) == "null" {
		return nil, nil
	}
	var one string
	if json.Unmarshal(data, &one) == nil {
		return []byte(one), nil
	}
	var many []struct {
		Name     string `json:"name"`
		Template string `json:"template"`
	}
	if json.Unmarshal(data, &many) != nil {
		return nil, errors.New("chat_template: is neither a string nor a list of named templates")
	}
	var names []string
	for _, t := range many {
		if t.Name == defaultName {
			return []byte(t.Template), nil
		}
		names = append(names, t.Name)
	}
	return nil, fmt.Errorf("chat_template: of the templates %q none is named %q", strings.Join(names, ", "), defaultName)
}

// tokens are the special tokens by the names that templates know them by.
func (c config) tokens() (map[string]string, error) {
	out := map[string]string{}
	for _, name := range []string{"bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"} {
		data := c[name]
		if data == nil || string(data) == "null" {
			continue
		}
		var token string
		var object struct {
			Content string `json:"content"`
		}
		if json.Unmarshal(data, &token) != nil {
			if json.Unmarshal(data, &object) != nil {
				return nil, fmt.Errorf("%s: %s: is neither a string nor an object with content", configName, name)
			}
			token = object.Content
		}
		out[name] = token
	}
	return out, nil
}
