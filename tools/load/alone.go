package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mmrun/mmrun"
	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/sample"
)

// every is after how many tokens servers keep a state, and cut a prompt.
const every = 512

// compare has the model answer questions alone, one at a time here and one in a second model, and says which answers
// are others than clients got.
func compare(ctx context.Context, o *options, m *mmrun.Model, all []asked) (wrong []error, err error) {
	var next atomic.Int64
	var mu sync.Mutex
	var failed [2]error
	var wg sync.WaitGroup
	one := func(m *mmrun.Model) error {
		s, err := m.NewScheduler(engine.SchedulerOptions{Places: 1})
		if err != nil {
			return err
		}
		defer s.Close()
		for i := next.Add(1) - 1; i < int64(len(all)); i = next.Add(1) - 1 {
			differs, err := all[i].differs(ctx, m, s)
			if err != nil {
				return err
			}
			if differs != nil {
				mu.Lock()
				wrong = append(wrong, fmt.Errorf("answer %d, after %d tokens: %w", i, len(all[i].Prompt), differs))
				mu.Unlock()
			}
		}
		return nil
	}
	if len(all) > 1 {
		wg.Go(func() {
			second, err := mmrun.Open(o.model, mmrun.Options{})
			if err == nil {
				err = errors.Join(one(second), second.Close())
			}
			failed[1] = err
		})
	}
	if len(all) > 0 {
		failed[0] = one(m)
	}
	wg.Wait()
	return wrong, errors.Join(failed[:]...)
}

// asked is a question with the answer that a client got.
type asked struct {
	*question
	*answer
}

// differs answers a question alone and says in what the client's answer is another. Of one whose client went away
// that is what it got so far.
func (a asked) differs(ctx context.Context, m *mmrun.Model, s *engine.Scheduler) (differs, err error) {
	stream, err := s.Submit(ctx, engine.Request{
		Prompt: a.Prompt, LogProbs: 0, Every: every, Checkpoints: []int{len(a.Prompt)}, Checkpoint: func(*engine.State) {},
		Options: engine.GenerateOptions{MaxTokens: a.MaxTokens, Sample: sample.Options{
			Temperature: a.Temperature, TopP: a.TopP, Seed: a.Seed, Vocab: m.Tokenizer().VocabSize()}},
	})
	if err != nil {
		return nil, err
	}
	text := mmrun.NewText(m.Tokenizer(), nil, a.Prompt...)
	var want string
	var logs []float32
	for {
		t, err := stream.Next(ctx)
		if errors.Is(err, io.EOF) || err == nil && t.Stopped {
			break
		}
		if err != nil {
			return nil, err
		}
		want += text.Add(t.ID)
		logs = append(logs, t.LogProb)
	}
	want += text.End(a.MaxTokens, false, false)
	same := func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) }
	switch n := len(a.logProbs); {
	case a.gone && !strings.HasPrefix(want, a.text), !a.gone && a.text != want:
		return fmt.Errorf("%q, alone %q", a.text, want), nil
	case !a.gone && a.tokens != len(logs):
		return fmt.Errorf("%d tokens, alone %d", a.tokens, len(logs)), nil
	case a.LogProbs != nil && (n > len(logs) || !a.gone && n < len(logs) || !slices.EqualFunc(a.logProbs, logs[:n], same)):
		return fmt.Errorf("log-probabilities %v, alone %v", a.logProbs, logs), nil
	}
	return nil, nil
}
