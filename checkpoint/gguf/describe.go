package gguf

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/mmrun/mmrun/checkpoint"
	"github.com/mmrun/mmrun/tokenizer"
)

// sortEntries puts keys in order, those that are general first.
func sortEntries(all []Entry) {
	slices.SortFunc(all, func(a, b Entry) int {
		general := func(e Entry) int {
			if hasPrefix(e.Key, []string{"general."}) {
				return 0
			}
			return 1
		}
		return cmp.Or(general(a)-general(b), cmp.Compare(a.Key, b.Key))
	})
}

// copied is a value as Entry has it.
func (v value) copied() any {
	if v.kind == kindArray {
		return v.copiedArray()
	}
	n, _ := v.whole()
	x, _ := v.real()
	switch v.kind {
	case kindUint8:
		return uint8(n)
	case kindInt8, kindInt16, kindInt32:
		return int32(n)
	case kindUint16:
		return uint16(n)
	case kindUint32:
		return uint32(n)
	case kindFloat32:
		return float32(x)
	case kindBool:
		return n != 0 || v.raw[0] != 0
	case kindString:
		return string(v.raw)
	case kindUint64:
		return uint64(n)
	case kindInt64:
		return n
	}
	return x
}

func (v value) copiedArray() any {
	if texts, ok := v.texts(); ok {
		return texts
	}
	if bytes, ok := v.bytes(); ok {
		return bytes
	}
	if v.elem == kindFloat32 || v.elem == kindFloat64 {
		all, _ := v.reals()
		return all
	}
	if all, ok := v.wholes(); ok {
		return all
	}
	all, _ := list(v, func(_ kind, raw []byte) (bool, bool) { return raw[0] != 0, true })
	return all
}

// Vocabulary are the keys of the tokenizer, the special tokens and the chat template of a folder, for a model of so many
// rows, with the token for the beginning, -1 for none, and the ends of a text that its config names. The tokenizer's own names
// of both go first; of other ends GGUF has room for two. Errors name the file.
func Vocabulary(src checkpoint.Source, rows int, bos int32, ends []int32) ([]Entry, error) {
	v, err := tokenizer.VocabOf(checkpoint.Files(src), src.Path, rows)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w, of which a GGUF file's tokenizer is made", err)
	}
	if err != nil {
		return nil, err
	}
	var told struct {
		Pad      json.RawMessage `json:"pad_token"`
		Template json.RawMessage `json:"chat_template"`
	}
	data, err := src.File(settingsName)
	if err == nil {
		err = json.Unmarshal(data, &told)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", src.Path(settingsName), err)
	}
	id := func(token json.RawMessage, absent int32) int32 {
		if i := slices.Index(v.Tokens, nameOf(token)); i >= 0 && nameOf(token) != "" {
			return int32(i)
		}
		return absent
	}
	if v.BOS < 0 {
		v.BOS = bos
	}
	ends = slices.DeleteFunc(slices.Clone(ends), func(id int32) bool { return id < 0 || int(id) >= len(v.Tokens) || id == v.EOS })
	if v.EOS < 0 && len(ends) > 0 {
		v.EOS, ends = ends[0], ends[1:]
	}
	all := entriesOf(v, id(told.Pad, -1))
	for i, name := range []string{"eot", "eom"} {
		if i < len(ends) {
			all = append(all, Entry{"tokenizer.ggml." + name + "_token_id", uint32(ends[i])})
		}
	}
	template, err := templateOf(src, told.Template)
	if err == nil && template != "" {
		all = append(all, Entry{templateField, template})
	}
	return all, err
}

// nameOf is a token's text: a string, or an object that has it; "" for none.
func nameOf(data json.RawMessage) string {
	var text string
	if json.Unmarshal(data, &text) == nil {
		return text
	}
	var token struct {
		Content string `json:"content"`
	}
	_ = json.Unmarshal(data, &token) // anything else is no token
	return token.Content
}

// templateOf is the chat template of a folder, "" without one: its own file goes first, and of several the one called default.
func templateOf(src checkpoint.Source, told json.RawMessage) (string, error) {
	data, err := src.File(templateName)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return string(data), err
	}
	var text string
	if json.Unmarshal(told, &text) == nil {
		return text, nil
	}
	var several []struct{ Name, Template string }
	_ = json.Unmarshal(told, &several) // anything else is no template
	for _, one := range several {
		if one.Name == "default" {
			return one.Template, nil
		}
	}
	return "", nil
}

// entriesOf are the keys of a vocabulary.
func entriesOf(v tokenizer.Vocab, pad int32) []Entry {
	const in = "tokenizer.ggml."
	all := []Entry{{in + "model", v.Model}}
	if v.Pre != "" {
		all = append(all, Entry{in + "pre", v.Pre})
	} else if v.Model != "gpt2" {
		all = append(all, Entry{in + "pre", "default"})
	}
	all = append(all, Entry{in + "tokens", v.Tokens})
	if v.Scores != nil {
		all = append(all, Entry{in + "scores", v.Scores})
	}
	all = append(all, Entry{in + "token_type", v.Types})
	if v.Model == "gpt2" {
		all = append(all, Entry{in + "merges", v.Merges})
	}
	for _, special := range []struct {
		name string
		id   int32
	}{{"bos", v.BOS}, {"eos", v.EOS}, {"unknown", v.Unknown}, {"padding", pad}} {
		if special.id >= 0 {
			all = append(all, Entry{in + special.name + "_token_id", uint32(special.id)})
		}
	}
	if v.Model == "t5" {
		all = append(all, Entry{in + "remove_extra_whitespaces", v.Tidy})
	}
	if len(v.Charsmap) > 0 {
		all = append(all, Entry{in + "precompiled_charsmap", v.Charsmap})
	}
	for _, flag := range []struct {
		name string
		set  *bool
	}{{"add_bos_token", v.AddBOS}, {"add_eos_token", v.AddEOS}, {"add_space_prefix", v.AddPrefix}} {
		if flag.set != nil {
			all = append(all, Entry{in + flag.name, *flag.set})
		}
	}
	return all
}
