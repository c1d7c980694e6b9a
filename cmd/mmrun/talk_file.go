package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/mmrun/mmrun/internal/infile"
)

// talkFile is a conversation as /save writes it.
type talkFile struct {
	Format   string   `json:"format"`
	Model    string   `json:"model"`
	System   string   `json:"system,omitempty"`
	Messages []spoken `json:"messages"`
	Tokens   []int32  `json:"tokens"`
	State    []byte   `json:"state"`
}

const talkFormat = "mmrun chat 1"

// save writes the conversation to a file, with its state.
func (t *talk) save(path string) error {
	f := talkFile{Format: talkFormat, Model: t.source.Name(), System: t.system, Messages: t.messages, Tokens: t.known}
	var err error
	if f.State, err = t.state.MarshalBinary(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return writeFile(path, func(w io.Writer) error { return json.NewEncoder(w).Encode(f) })
}

// load makes the conversation that in a file. A file that cannot be used changes nothing.
func (t *talk) load(path string) error {
	f, err := infile.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	limit := 3*t.MaxSavedBytes() + 64<<20
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return fileError(path, err)
	}
	var in talkFile
	if err := json.Unmarshal(data, &in); err != nil || in.Format != talkFormat {
		return fmt.Errorf("%s: not a conversation that /save wrote", path)
	}
	if err := in.check(t); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	state, err := t.NewState()
	if err != nil {
		return err
	}
	// What was not read yet, such as before the first message, has an empty state.
	if err = state.UnmarshalBinary(in.State); err == nil && state.Position() != int64(len(in.Tokens)) {
		err = fmt.Errorf("state: %d tokens, but there are %d", state.Position(), len(in.Tokens))
	}
	if err != nil {
		state.Close()
		return fmt.Errorf("%s: %w", path, err)
	}
	t.end()
	t.marks = nil
	t.system, t.messages, t.known, t.state = in.System, in.Messages, in.Tokens, state
	return nil
}

// check finds what is wrong with a saved conversation.
func (f *talkFile) check(t *talk) error {
	for i, m := range f.Messages {
		if m.Role != []string{roleUser, roleAssistant}[i%2] {
			return fmt.Errorf("messages: number %d is of %q", i, m.Role)
		}
	}
	for i, id := range f.Tokens {
		if id < 0 || int(id) >= t.Sizes().Vocab {
			return fmt.Errorf("tokens: number %d is %d, outside the vocabulary of %d", i, id, t.Sizes().Vocab)
		}
	}
	if len(f.Tokens) == 0 && len(f.Messages) > 0 {
		return errors.New("tokens: there are none")
	}
	return nil
}
