package mmrun_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/internal/refmodel"
)

// TestManyAtOnce: texts that are made at once on one model are those that each would be alone.
func TestManyAtOnce(t *testing.T) {
	const texts, rounds, tokens = 5, 2, 25
	for kind := range kinds {
		m := open(t, modelDir(t, kind, 1))
		prompts, want := make([]string, texts), make([]string, texts)
		for i := range texts {
			prompts[i] = fmt.Sprintf("%d. %s %d,", i, prompt, 7*i)
			want[i] = alone(t, m, prompts[i], warm(rounds*tokens, uint64(i)))
		}
		var wg sync.WaitGroup
		for i := range texts {
			wg.Go(func() {
				if got, err := inRounds(t, m, prompts[i], rounds, warm(tokens, uint64(i))); err != nil || got != want[i] {
					t.Errorf("%s: text %d is %q, alone %q (%v)", kind, i, got, want[i], err)
				}
			})
		}
		wg.Wait()
	}
}

// inRounds writes a text in several sessions, each of which is saved and loaded into the next.
func inRounds(t *testing.T, m *mmrun.Model, prompt string, rounds int, o mmrun.GenerateOptions) (text string, err error) {
	var saved []byte
	for range rounds {
		s, err := m.NewSession()
		if err != nil {
			return text, err
		}
		defer s.Close()
		if saved != nil {
			if err := s.UnmarshalBinary(saved); err != nil {
				return text, err
			}
		}
		more, err := collect(t.Context(), s, prompt, o)
		if text += more; err != nil {
			return text, err
		}
		if saved, err = s.MarshalBinary(); err != nil {
			return text, err
		}
		prompt = ""
	}
	return text, nil
}

// TestCloseWhileGenerating closes the model, or the session, while a text is made, in the middle of its prompt or
// later: the text ends cleanly, as a whole or with ErrClosed.
func TestCloseWhileGenerating(t *testing.T) {
	for _, kind := range []string{largeVocab, refmodel.GPTNeoX} {
		dir := modelDir(t, kind, 1)
		for _, what := range []string{"session", "model"} {
			for _, after := range []int{-1, 0, 1, 20} { // bytes of text; -1 is while the prompt is read
				t.Run(fmt.Sprintf("%s of %s after %d", what, kind, after), func(t *testing.T) { closeWhileGenerating(t, dir, what, after) })
			}
		}
	}
}

func closeWhileGenerating(t *testing.T, dir, what string, after int) {
	m, err := mmrun.Open(dir, mmrun.Options{Chunk: 8})
	if err != nil {
		t.Fatal(err)
	}
	s, other := session(t, m), session(t, m)
	at, once := make(chan struct{}), sync.Once{}
	reached := func() { once.Do(func() { close(at) }) }
	options := warm(200, 1)
	options.Progress = func(done, _ int) {
		if after < 0 && done >= 8 || after == 0 && done >= 2*len(prompt) {
			reached()
		}
	}
	ended := make(chan error, 1)
	go func() {
		text := ""
		for piece, err := range s.Generate(t.Context(), prompt+prompt, options) {
			if err != nil {
				ended <- err
				return
			}
			if text += piece; after > 0 && len(text) >= after {
				reached()
			}
		}
		ended <- nil
	}()
	<-at
	if what == "session" {
		s.Close()
	} else if err := m.Close(); err == nil {
		t.Error("a model with open sessions closed without a word")
	}
	if err := <-ended; err != nil {
		wantIs(t, "the text", err, mmrun.ErrClosed)
	} else if s.Finish() != mmrun.FinishLength {
		t.Errorf("the text ended with %q", s.Finish())
	}
	_, err = collect(t.Context(), s, prompt, warm(3, 1))
	wantIs(t, "the session afterwards", err, mmrun.ErrClosed)
	if what == "session" {
		write(t, other, prompt, warm(3, 1)) // nothing else was closed
	}
	s.Close()
	other.Close()
	if err := m.Close(); err != nil {
		t.Errorf("closing the model: %v", err)
	}
	if _, err := m.NewSession(); !errors.Is(err, mmrun.ErrClosed) {
		t.Errorf("a session of a closed model: %v", err)
	}
}
