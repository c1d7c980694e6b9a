package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// Names of the files that a tokenizer is in.
const (
	jsonName   = "tokenizer.json"
	modelName  = "tokenizer.model"
	vocabName  = "vocab.json"
	mergesName = "merges.txt"
	configName = "tokenizer_config.json"
)

// Names returns the files that [Open] may read, those first that go before others.
func Names() []string { return []string{jsonName, modelName, vocabName, mergesName, configName} }

// Open reads the tokenizer of a folder: tokenizer.json, or tokenizer.model, or vocab.json with
// merges.txt; and the settings in tokenizer_config.json. path makes of a file's name what errors call
// it. The error wraps [fs.ErrNotExist] when the folder has no tokenizer.
func Open(folder fs.FS, path func(name string) string) (*Tokenizer, error) {
	c, err := openConfig(folder, path)
	if err != nil {
		return nil, err
	}
	name, data, merges, err := readFolder(folder, path)
	if err != nil {
		return nil, err
	}
	var t *Tokenizer
	switch name {
	case modelName:
		t, err = parseModelFile(path(name), data, c)
	case vocabName:
		t, err = c.parsePair(path(name), data, path(mergesName), merges)
	default:
		t, err = Parse(path(name), data)
	}
	if err != nil {
		return nil, err
	}
	if err := c.apply(t); err != nil {
		return nil, fmt.Errorf("%s: %w", path(configName), err)
	}
	return t, nil
}

// openConfig reads tokenizer_config.json, which may be absent.
func openConfig(folder fs.FS, path func(string) string) (*config, error) {
	data, err := fs.ReadFile(folder, configName)
	if errors.Is(err, fs.ErrNotExist) {
		return &config{}, nil
	}
	var c *config
	if err == nil {
		c, err = parseConfig(data)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path(configName), err)
	}
	return c, nil
}

// readFolder reads the first of the files that a tokenizer may be in, and what belongs to it.
func readFolder(folder fs.FS, path func(string) string) (name string, data, merges []byte, err error) {
	for _, name := range []string{jsonName, modelName, vocabName} {
		data, err := fs.ReadFile(folder, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", nil, nil, fileError(path(name), err)
		}
		if name != vocabName {
			return name, data, nil, nil
		}
		merges, err := fs.ReadFile(folder, mergesName)
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil, nil, fmt.Errorf("%s: no such file, which belongs to %s", path(mergesName), vocabName)
		}
		if err != nil {
			return "", nil, nil, fileError(path(mergesName), err)
		}
		return name, data, merges, nil
	}
	return "", nil, nil, missingError(fmt.Sprintf("%s: no such file, nor is there %s, or %s with %s; "+
		"copy the tokenizer that the model was trained with there (for the original Mamba folders of state-spaces that of EleutherAI/gpt-neox-20b)",
		path(jsonName), modelName, vocabName, mergesName))
}

// missingError says that a folder has no tokenizer.
type missingError string

func (e missingError) Error() string        { return string(e) }
func (e missingError) Is(target error) bool { return target == fs.ErrNotExist }

// fileError names the file first and the reason last.
func fileError(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// config is a tokenizer_config.json.
type config struct {
	AddBOS      *bool                 `json:"add_bos_token"`
	AddEOS      *bool                 `json:"add_eos_token"`
	AddPrefix   *bool                 `json:"add_prefix_space"`
	Legacy      *bool                 `json:"legacy"`
	BOS         tokenName             `json:"bos_token"`
	EOS         tokenName             `json:"eos_token"`
	Unk         tokenName             `json:"unk_token"`
	Pad         tokenName             `json:"pad_token"`
	Additional  tokenNames            `json:"additional_special_tokens"`
	Class       string                `json:"tokenizer_class"`
	AddedTokens map[string]addedToken `json:"added_tokens_decoder"`
}

// tokenName is a token's content, or an object that has it.
type tokenName string

func (n *tokenName) UnmarshalJSON(data []byte) error {
	var s *string
	if json.Unmarshal(data, &s) == nil {
		if s != nil {
			*n = tokenName(*s)
		}
		return nil
	}
	var object struct {
		Content string `json:"content"`
	}
	if err := json.Unmarshal(data, &object); err != nil {
		return err
	}
	*n = tokenName(object.Content)
	return nil
}

// tokenNames is a list of them; what else stands there has no meaning here.
type tokenNames []tokenName

func (n *tokenNames) UnmarshalJSON(data []byte) error {
	var list []tokenName
	if json.Unmarshal(data, &list) == nil {
		*n = list
	}
	return nil
}

func parseConfig(data []byte) (*config, error) {
	var c config
	if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF")), &c); err != nil {
		return nil, jsonError(err)
	}
	return &c, nil
}

// apply makes the settings that a config has in place of those of the tokenizer's own file.
func (c *config) apply(t *Tokenizer) error {
	for _, f := range []struct {
		field string
		name  tokenName
		add   *bool
		id    *int32
		ids   *[]int32
	}{
		{"bos_token", c.BOS, c.AddBOS, &t.bos, &t.prefix},
		{"eos_token", c.EOS, c.AddEOS, &t.eos, &t.suffix},
	} {
		id, ok := t.ids[string(f.name)]
		if ok && f.name != "" {
			*f.id = id
		}
		switch {
		case f.add == nil:
		case *f.add && *f.id < 0:
			return fmt.Errorf("add_%s: is true, but %s, %q, is no token", f.field, f.field, f.name)
		case *f.add:
			*f.ids = []int32{*f.id}
		case slices.Equal(*f.ids, []int32{*f.id}):
			*f.ids = nil
		}
	}
	return nil
}

// addTo enters the added tokens that a config lists and a tokenizer.model has not: they are found in a text before all else.
func (c *config) addTo(t *Tokenizer) error {
	list, err := c.addedTokens()
	if err != nil {
		return fmt.Errorf("%s: %w", configName, err)
	}
	for _, a := range list {
		id, ok := t.ids[a.Content]
		if ok && !a.Special || a.Content == "" {
			continue
		}
		if !ok {
			id = int32(len(t.tokens))
		}
		a.Normalized = false
		if err := t.addToken(a, id); err != nil {
			return err
		}
	}
	t.fillBytes()
	return nil
}
