package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/internal/config"
)

const configName = "config.json"

// A Fitting Config looks at the tensors of its files before any is asked for: they may have other names there, or other
// shapes, or say more than config.json.
type Fitting interface {
	Config

	// Fit says how files of the model have it.
	Fit(files *checkpoint.Tensors) (Fit, error)
}

// A Fit is a model's tensors as its Config asks for them.
type Fit struct {
	Tensors  *checkpoint.Tensors
	Keys     map[string]any // of config.json, which the files contradict
	Warnings []string       // a line each
}

var forms []func(config []byte) ([]byte, error)

// RegisterForm makes known how config.json may be written otherwise than Hugging Face does: rewrite makes it a
// config.json of a registered architecture, and gives nil when it is of no such form. Errors name the field.
func RegisterForm(rewrite func(config []byte) ([]byte, error)) { forms = append(forms, rewrite) }

// Canonical is a source whose config.json is as Hugging Face has it, whatever form the model's own has, and whose
// tensors have the names and shapes that its architecture asks for. What is wrong with them is told when they are
// asked for.
func Canonical(src checkpoint.Source) checkpoint.Source {
	if c, ok := src.(*canonical); ok {
		return c
	}
	return &canonical{Source: src}
}

// Warnings are what is to be said of a model's files, a line each, when Canonical made the source.
func Warnings(src checkpoint.Source) []string {
	c, ok := src.(*canonical)
	if !ok {
		return nil
	}
	fit, err := c.fitted()
	if err != nil {
		return nil // which is told by whoever asks for tensors
	}
	return fit.Warnings
}

type canonical struct {
	checkpoint.Source

	mu   sync.Mutex // guards what follows
	done bool
	fit  Fit
	err  error
}

// Unwrap is the source as its files have it.
func (c *canonical) Unwrap() checkpoint.Source { return c.Source }

// Config is the canonical config.json.
func (c *canonical) Config() ([]byte, error) {
	data, err := c.own()
	if err != nil {
		return nil, err
	}
	fit, err := c.fitted()
	if err != nil || len(fit.Keys) == 0 { // what is wrong with the tensors, whoever asks for them is told
		return data, nil
	}
	keys, err := config.Keys(data)
	if err != nil {
		return nil, c.errorf(err)
	}
	for key, value := range fit.Keys {
		if keys[key], err = json.Marshal(value); err != nil {
			return nil, c.errorf(err)
		}
	}
	return config.Write(keys)
}

func (c *canonical) errorf(err error) error { return fmt.Errorf("%s: %w", c.Path(configName), err) }

// own is config.json without what the tensors say.
func (c *canonical) own() ([]byte, error) {
	data, err := c.Source.Config()
	if err != nil {
		return nil, err
	}
	if data, err = rewritten(data); err != nil {
		return nil, c.errorf(err)
	}
	return data, nil
}

// Tensors are the source's by the names that are asked for.
func (c *canonical) Tensors() (*checkpoint.Tensors, error) {
	fit, err := c.fitted()
	return fit.Tensors, err
}

// fitted fits the tensors when it is first called.
func (c *canonical) fitted() (Fit, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.done {
		c.fit, c.err = c.look()
		c.done = c.err == nil
	}
	return c.fit, c.err
}

func (c *canonical) look() (Fit, error) {
	files, err := c.Source.Tensors()
	if err != nil {
		return Fit{}, err
	}
	plain := Fit{Tensors: files}
	data, err := c.own()
	if err != nil { // of which whoever asks for it is told
		return plain, nil
	}
	cfg, err := ParseConfig(c.Path(configName), data)
	if err != nil {
		return plain, nil
	}
	f, ok := cfg.(Fitting)
	if !ok {
		return plain, nil
	}
	fit, err := f.Fit(files)
	if err != nil {
		return Fit{}, fmt.Errorf("%s: %w", c.Name(), err)
	}
	return fit, nil
}

// Close closes the source; its tensors are no more.
func (c *canonical) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done, c.fit = false, Fit{}
	return c.Source.Close()
}

// rewritten is a config.json as Hugging Face has it, with a model_type.
func rewritten(data []byte) ([]byte, error) {
	for _, form := range forms {
		if other, err := form(data); other != nil || err != nil {
			return other, err
		}
	}
	kind, err := modelType(data)
	if _, known := architectures[kind]; known || err != nil {
		return data, nil // of an error ParseConfig tells
	}
	var c struct {
		Text    json.RawMessage `json:"text_config"`
		Classes classNames      `json:"architectures"`
	}
	if config.Decode(data, &c) != nil {
		return data, nil
	}
	if inner, err := modelType(c.Text); c.Text != nil && err == nil && architectures[inner].Configure != nil {
		return textConfig(data, c.Text)
	}
	if kind != "" {
		return data, nil
	}
	for _, class := range c.Classes {
		for _, a := range architectures {
			if slices.Contains(a.Classes, class) {
				return withKey(data, "model_type", a.ModelTypes[0])
			}
		}
	}
	return data, nil
}

// classNames are names of Python's classes; what else stands there has no meaning here.
type classNames []string

func (n *classNames) UnmarshalJSON(data []byte) error {
	var names []string
	if json.Unmarshal(data, &names) == nil {
		*n = names
	}
	return nil
}

// beside are the keys that count for a text_config where only the object around it has them.
var beside = []string{"tie_word_embeddings", "bos_token_id", "eos_token_id", "pad_token_id", "quantization_config"}

// textConfig is the part of a config.json that is of a model of text, one of several parts.
func textConfig(data, text []byte) ([]byte, error) {
	around, err := config.Keys(data)
	if err != nil {
		return nil, err
	}
	keys, err := config.Keys(text)
	if err != nil {
		return nil, fmt.Errorf("text_config: %w", err)
	}
	for _, key := range beside {
		if _, own := keys[key]; !own && around[key] != nil {
			keys[key] = around[key]
		}
	}
	return config.Write(keys)
}

func withKey(data []byte, key, value string) ([]byte, error) {
	keys, err := config.Keys(data)
	if err != nil {
		return nil, err
	}
	if keys[key], err = json.Marshal(value); err != nil {
		return nil, err
	}
	return config.Write(keys)
}

// knownTypes names the model types that are known, for errors.
func knownTypes() string { return strings.Join(slices.Sorted(maps.Keys(architectures)), ", ") }
