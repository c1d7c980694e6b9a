package main

import (
	"fmt"
	"io"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/infile"
)

// stateRoom is what a file may have beyond twice the largest state, which may be another model's.
const stateRoom = 1 << 20

// loadState returns the state in the file at path, or a fresh one when path is empty.
func (e *opened) loadState(path string) (*engine.State, error) {
	state, err := e.NewState()
	if err != nil || path == "" {
		return state, err
	}
	if err := restore(state, path, 2*e.MaxSavedBytes()+stateRoom); err != nil {
		state.Close()
		return nil, err
	}
	return state, nil
}

// restore reads a state from a file that may have at most the given number of bytes.
func restore(state *engine.State, path string, limit int64) error {
	f, err := infile.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return fileError(path, err)
	}
	if int64(len(data)) > limit {
		return fmt.Errorf("%s: not a state file of this model: more than %s", path, formatBytes(limit))
	}
	if err := state.UnmarshalBinary(data); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// saveState writes the state to the file at path, if there is one.
func (e *opened) saveState(path string, state *engine.State) error {
	if path == "" {
		return nil
	}
	data, err := state.MarshalBinary()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return writeFile(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}
