package tokenizer

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// parsePair reads a byte-level tokenizer of GPT-2's kind from its two files.
func (c *config) parsePair(name string, vocab []byte, mergesName string, merges []byte) (*Tokenizer, error) {
	f, err := c.pairFile(vocab, mergesName, merges)
	var t *Tokenizer
	if err == nil {
		t, err = build(f)
	}
	var other otherFileError
	switch {
	case errors.As(err, &other):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

// otherFileError is what is wrong with a file that belongs to the one that is read.
type otherFileError struct{ error }

// pairFile is what the two files describe, as a tokenizer.json would.
func (c *config) pairFile(vocab []byte, mergesName string, merges []byte) (*file, error) {
	kind, ok := pairKinds[strings.TrimSuffix(c.Class, "Fast")]
	if !ok {
		return nil, fmt.Errorf("a tokenizer of the class %q cannot be read from two files, it takes a %s", c.Class, jsonName)
	}
	f := kind(isTrue(c.AddPrefix, false))
	f.Model = &modelField{Type: "BPE", Vocab: vocab}
	if err := f.Model.readIDs(); err != nil {
		return nil, errors.New(strings.Replace(err.Error(), "model.vocab: ", "", 1))
	}
	for i, line := range strings.Split(string(merges), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" || i == 0 && strings.HasPrefix(line, "#version") {
			continue
		}
		left, right, ok := strings.Cut(line, " ")
		if !ok || left == "" || right == "" || strings.Contains(right, " ") {
			return nil, otherFileError{fmt.Errorf("%s: line %d: %q is not two tokens with a space between", mergesName, i+1, line)}
		}
		f.Model.pairs = append(f.Model.pairs, [2]string{left, right})
	}
	return f, c.addTokens(f)
}

// addedTokens are those that the config lists, in the order of their ids.
func (c *config) addedTokens() ([]addedToken, error) {
	var list []addedToken
	for key, a := range c.AddedTokens {
		var id int64
		if json.Unmarshal([]byte(key), &id) != nil {
			return nil, fmt.Errorf("added_tokens_decoder: %q is no id", key)
		}
		a.ID = &id
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b addedToken) int { return cmp.Compare(*a.ID, *b.ID) })
	return list, nil
}

// addTokens lists the special and the added tokens that the config names.
func (c *config) addTokens(f *file) error {
	list, err := c.addedTokens()
	if err != nil {
		return err
	}
	f.AddedTokens = list
	next := int64(0)
	for _, id := range f.Model.ids {
		next = max(next, id+1)
	}
	known := map[string]bool{}
	for _, a := range f.AddedTokens {
		known[a.Content] = true
		next = max(next, *a.ID+1)
	}
	for _, name := range c.specialNames(f.Model.ids) {
		if name == "" || known[string(name)] {
			continue
		}
		known[string(name)] = true
		id, ok := f.Model.ids[string(name)]
		if !ok {
			id = next
			next++
		}
		f.AddedTokens = append(f.AddedTokens, addedToken{ID: &id, Content: string(name), Special: true})
	}
	return nil
}

// specialNames are the special tokens that the config names, or the one that GPT-2 has.
func (c *config) specialNames(vocab map[string]int64) []tokenName {
	names := append([]tokenName{c.BOS, c.EOS, c.Unk, c.Pad}, c.Additional...)
	if _, ok := vocab[endOfText]; ok && c.BOS+c.EOS+c.Unk == "" {
		names = append(names, endOfText)
	}
	return names
}

const endOfText = "<|endoftext|>"

// pairKinds are the pipelines of the classes that are known without a tokenizer.json.
var pairKinds = map[string]func(prefix bool) *file{
	"": gpt2Pipeline, "GPT2Tokenizer": gpt2Pipeline, "GPTNeoXTokenizer": neoxPipeline,
	"CodeGenTokenizer": gpt2Pipeline, "PreTrainedTokenizer": gpt2Pipeline, "Qwen2Tokenizer": qwenPipeline,
}

func gpt2Pipeline(prefix bool) *file {
	return &file{
		PreTokenizer: &part{Type: "ByteLevel", AddPrefixSpace: &prefix},
		Decoder:      &part{Type: "ByteLevel"},
	}
}

func neoxPipeline(prefix bool) *file {
	f := gpt2Pipeline(prefix)
	f.Normalizer = &part{Type: "NFC"}
	return f
}

func qwenPipeline(prefix bool) *file {
	f := neoxPipeline(prefix)
	re, no := qwen2Pattern, false
	f.PreTokenizer = &part{Type: "Sequence", Pretokenizers: []part{
		{Type: "Split", Behavior: isolated, Pattern: &pattern{Regex: &re}},
		{Type: "ByteLevel", AddPrefixSpace: &prefix, UseRegex: &no},
	}}
	return f
}
