package engine_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"testing"

	. "github.com/mmrun/mmrun/engine"
)

func newScheduler(t tester, m *Model, o SchedulerOptions) *Scheduler {
	t.Helper()
	s, err := m.NewScheduler(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func submit(t tester, s *Scheduler, r Request) *Stream {
	t.Helper()
	stream, err := s.Submit(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// all are the tokens of a stream up to its end, without a stop token.
func all(t tester, stream *Stream) (tokens []int32) {
	t.Helper()
	for {
		one, err := stream.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return tokens
		}
		if err != nil {
			t.Fatal(err)
		}
		if !one.Stopped {
			tokens = append(tokens, one.ID)
		}
	}
}

// TestScheduledIsAlone: in any number of places, with more requests than places, every text is that of its prompt alone.
func TestScheduledIsAlone(t *testing.T) {
	for _, dir := range goldens(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			m, g := openModel(t, dir, Options{Chunk: 16}), readGolden(t, dir)
			tasks := tasksOf(g.tokens, 9)
			var want [][]int32
			for i, one := range tasks {
				text := alone(t, m, one)
				if i%4 == 1 { // ends early
					tasks[i].o.Stop = []int32{text[len(text)/2]}
					text = text[:slices.Index(text, text[len(text)/2])]
				}
				want = append(want, text)
			}
			for _, n := range []int{3, 9} {
				s := newScheduler(t, m, SchedulerOptions{Places: n, MaxWait: 1})
				var streams []*Stream
				for _, one := range tasks {
					streams = append(streams, submit(t, s, Request{Prompt: one.prompt, Options: one.o, LogProbs: -1}))
				}
				for i, stream := range streams {
					if text := all(t, stream); !slices.Equal(text, want[i]) {
						t.Errorf("%d places: text %d is %v, want %v", n, i, text, want[i])
					}
				}
			}
		})
	}
}
