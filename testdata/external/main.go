// Hello writes a text from a model's directory, twice from its middle, as any program of another module may.
//
//	hello DIR TEXT
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/sample"
	"github.com/mmrun/mmrun/tokenizer"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: hello DIR TEXT")
		os.Exit(2)
	}
	if err := hello(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}

func hello(dir, text string) (err error) {
	m, err := mmrun.Open(dir, mmrun.Options{})
	if err != nil {
		return err
	}
	defer func() {
		if closing := m.Close(); err == nil {
			err = closing
		}
	}()
	fmt.Printf("%s has %d tokens\n", dir, count(m.Tokenizer(), text))
	s, err := m.NewSession()
	if err != nil {
		return err
	}
	defer s.Close()
	if err := generate("text", s, text); err != nil {
		return err
	}
	saved, err := s.MarshalBinary()
	if err != nil {
		return err
	}
	branch, err := s.Fork()
	if err != nil {
		return err
	}
	defer branch.Close()
	if err := generate("goes on", s, ""); err != nil {
		return err
	}
	if err := generate("branch", branch, " But"); err != nil {
		return err
	}
	if err := s.UnmarshalBinary(saved); err != nil {
		return err
	}
	return generate("again", s, "")
}

// generate prints what a session writes after a prompt.
func generate(what string, s *mmrun.Session, prompt string) error {
	options := mmrun.GenerateOptions{MaxTokens: 40, Sample: sample.Options{Temperature: 0.8, TopK: 40, Seed: 7}}
	text := ""
	for piece, err := range s.Generate(context.Background(), prompt, options) {
		if err != nil {
			return err
		}
		text += piece
	}
	_, err := fmt.Printf("%s: %q, %s after %d tokens\n", what, text, s.Finish(), s.Position())
	return err
}

// count is how many tokens a text has.
func count(t *tokenizer.Tokenizer, text string) int {
	ids, err := t.Encode(text)
	if err != nil {
		return -1
	}
	return len(ids)
}
