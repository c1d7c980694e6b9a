package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	. "github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/refmodel"
	"github.com/mmrun/mmrun/vk"
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

func submit(t tester, s *Scheduler, ctx context.Context, r Request) *Stream {
	t.Helper()
	stream, err := s.Submit(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// endless is a request for the given number of tokens as nobody waits for, after a prompt of n tokens.
func endless(n int) Request {
	return Request{Prompt: make([]int32, n), Options: GenerateOptions{MaxTokens: 1 << 20, Stop: []int32{}}, LogProbs: -1}
}

// short is a request for n tokens after one.
func short(n int) Request {
	one := endless(1)
	one.Options.MaxTokens = n
	return one
}

// ended takes all of a stream and returns how many tokens it had and how it ended.
func ended(stream *Stream) (n int, err error) {
	for ; err == nil; n++ {
		_, err = stream.Next(context.Background())
	}
	return n - 1, err
}

// TestSchedulerIsFair: with one place texts are made in the order of their arrival; with several, prompts of equal
// length give their first tokens in that order, and one that came after a long prompt does not wait for its end.
func TestSchedulerIsFair(t *testing.T) {
	m := wordy(t)
	order := make(chan string, 100)
	named := func(r Request, name string) Request {
		first := true
		r.Until = func(int32) bool {
			if first {
				order <- name
			}
			first = false
			return false
		}
		return r
	}
	for places, want := range map[int]string{1: "first second third long short", 5: "short first second third long"} {
		s := newScheduler(t, m, SchedulerOptions{Places: places})
		var streams []*Stream
		m.Inside(func(Inside) error { // all are queued before one begins
			for _, name := range []string{"first", "second", "third", "long", "short"} {
				r := short(2)
				r.Prompt = make([]int32, map[string]int{"long": 100, "short": 5}[name])
				if len(r.Prompt) == 0 {
					r.Prompt = make([]int32, 40)
				}
				streams = append(streams, submit(t, s, context.Background(), named(r, name)))
			}
			return nil
		})
		var got []string
		for _, stream := range streams {
			if n, err := ended(stream); n != 2 || !errors.Is(err, io.EOF) {
				t.Errorf("%d tokens, %v", n, err)
			}
		}
		for range streams {
			got = append(got, <-order)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%d places: %v, want %s", places, got, want)
		}
	}
}

// TestSchedulerWaits: while a long prompt is read, those who generate get a token between any two of its pieces when
// the wait is the shortest, and it is read in as many steps as it has passes when the wait is long.
func TestSchedulerWaits(t *testing.T) {
	defer SetPieceOfPass(1)()
	m := wordy(t)
	const prompt, chunk = 80, 16
	_, program, err := m.PromptPass(chunk)
	if err != nil {
		t.Fatal(err)
	}
	passes := prompt / chunk
	for wait, bounds := range map[time.Duration][2]int64{
		1:         {int64(passes * program.Dispatches() * 9 / 10), 1 << 30},
		time.Hour: {int64(passes - 1), int64(3 * passes)},
	} {
		s := newScheduler(t, m, SchedulerOptions{Places: 2, MaxWait: wait})
		running := submit(t, s, t.Context(), endless(1))
		for range 20 { // it is at its pace
			if _, err := running.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		before, during := s.Stats().Steps, int64(-1)
		long := short(1)
		long.Prompt = make([]int32, prompt)
		long.Options.Progress = func(done, _ int) {
			if done == chunk {
				before = s.Stats().Steps
			}
			during = s.Stats().Steps - before
		}
		if _, err := ended(submit(t, s, t.Context(), long)); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		least := bounds[0] * int64(passes-1) / int64(passes)
		if during < least || during > bounds[1] {
			t.Errorf("within %v: %d steps while the prompt was read, want %d to %d", wait, during, least, bounds[1])
		}
		if s.Stats().LongestWait <= 0 {
			t.Errorf("within %v: %+v", wait, s.Stats())
		}
		s.Close()
	}
}

// TestSchedulerCancels: a request whose context ends is over at the next step, wherever it is, and its place is
// another's; a reader who takes nothing holds up nobody.
func TestSchedulerCancels(t *testing.T) {
	m := wordy(t)
	s := newScheduler(t, m, SchedulerOptions{Places: 1, MaxWait: 1})
	for name, begun := range map[string]func(stream *Stream, r Request){
		"while generating": func(stream *Stream, r Request) { stream.Next(t.Context()) },
		"at once":          func(*Stream, Request) {},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		first := endless(200)
		stream := submit(t, s, ctx, first)
		queued := submit(t, s, ctx, endless(1))
		next := submit(t, s, t.Context(), short(7))
		begun(stream, first)
		cancel()
		for _, one := range []*Stream{stream, queued} {
			if _, err := ended(one); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n, err := ended(next); n != 7 || !errors.Is(err, io.EOF) {
			t.Errorf("%s: then %d tokens, %v", name, n, err)
		}
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	ignored := submit(t, s, t.Context(), short(3))
	if _, err := ended(submit(t, s, done, short(3))); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that had ended: %v", err)
	}
	if n, err := ended(submit(t, s, t.Context(), short(3))); n != 3 || !errors.Is(err, io.EOF) {
		t.Errorf("beside one that nobody reads: %d tokens, %v", n, err)
	}
	if _, err := ignored.Next(done); err != nil {
		t.Errorf("a token that is there: %v", err)
	}
	if until := ignored.Timings(); until.Prompt <= 0 || until.PromptTokens != 1 || until.GeneratedTokens != 2 {
		t.Errorf("%+v", until)
	}
}

// TestSchedulerEnds: whatever is under way ends with the error when the scheduler or the model is closed or the device
// fails, later requests too, and nothing is left: no goroutine, no memory of the device.
func TestSchedulerEnds(t *testing.T) {
	lost := fmt.Errorf("broken off: %w", vk.ErrDeviceLost)
	for name, end := range map[string]func(m *Model, s *Scheduler) error{
		"closed":       func(_ *Model, s *Scheduler) error { s.Close(); return ErrClosed },
		"failed":       func(_ *Model, s *Scheduler) error { s.Break(lost); return vk.ErrDeviceLost },
		"model closed": func(m *Model, s *Scheduler) error { m.Close(); return ErrClosed },
	} {
		m := wordy(t)
		state := newState(t, m)
		filled(t, m, 3).Close() // fills pools and makes pipelines, which stay
		before, goroutines := m.VK().Stats(), runtime.NumGoroutine()
		s, err := m.NewScheduler(SchedulerOptions{Places: 2})
		if err != nil {
			t.Fatal(err)
		}
		streams := []*Stream{
			submit(t, s, t.Context(), endless(1)), submit(t, s, t.Context(), endless(1<<19)), submit(t, s, t.Context(), endless(1)),
		}
		if _, err := streams[0].Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := end(m, s)
		for i, stream := range streams {
			if _, err := ended(stream); !errors.Is(err, want) {
				t.Errorf("%s: stream %d ended with %v", name, i, err)
			}
		}
		if _, err := s.Submit(t.Context(), endless(1)); !errors.Is(err, want) {
			t.Errorf("%s: a later request: %v", name, err)
		}
		s.Close()
		s.Close()
		state.CloseRecordings()
		for range 100 { // what ends with a context takes a moment
			if runtime.NumGoroutine() > goroutines {
				time.Sleep(time.Millisecond)
			}
		}
		after := m.VK().Stats()
		if n := runtime.NumGoroutine(); n > goroutines {
			t.Errorf("%s: %d goroutines, there were %d", name, n, goroutines)
		}
		if name == "model closed" {
			continue
		}
		for _, s := range []map[string]int{before.Handles, after.Handles} {
			for _, kept := range []string{"fence", "pipeline", "pipeline layout", "descriptor set layout", "shader module"} {
				delete(s, kept)
			}
		}
		if after.DeviceUsed != before.DeviceUsed || after.HostUsed != before.HostUsed || !maps.Equal(after.Handles, before.Handles) {
			t.Errorf("%s: %+v is left, %+v was there", name, after, before)
		}
	}
}

// TestScorePrompt: the log-probabilities of a prompt are those of all its logits, with a state to go on from too.
func TestScorePrompt(t *testing.T) {
	m := wordy(t)
	scorePrompts(t, m)
	separate(t, m)
	scorePrompts(t, m)
}

func scorePrompts(t *testing.T, m *Model) {
	t.Helper()
	s := newScheduler(t, m, SchedulerOptions{Places: 2, MaxWait: 1})
	text := refmodel.RandomTokens(refmodel.Config{Vocab: 3001}, 4, 75)
	r := Request{Prompt: text, LogProbs: 3, ScorePrompt: true, Options: GenerateOptions{MaxTokens: 2, Stop: []int32{}}}
	rest, from := r, newState(t, m)
	read(t, m, from, text[:32])
	rest.From, rest.Prompt = from, text[32:]
	beside := submit(t, s, t.Context(), endless(40))
	streams := []*Stream{submit(t, s, t.Context(), r), submit(t, s, t.Context(), rest)}
	var want []Token
	err := m.ForwardAll(t.Context(), newState(t, m), text, func(first int, logits []float32) error {
		for i := 0; i < len(logits)/3001 && first+i+1 < len(text); i++ {
			want = append(want, tokenOf(logits[i*3001:][:3001], text[first+i+1], r))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, skip := range []int{0, 31} {
		if _, err := streams[i].Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := streams[i].Prompt()
		if len(got) != len(want)-skip {
			t.Fatalf("%d tokens of a prompt, want %d", len(got), len(want)-skip)
		}
		for j, one := range got {
			if j > 0 || i == 0 { // the first after the state is of the head's kernel for one token
				if !sameTokens([]Token{one}, want[skip+j:][:1]) {
					t.Fatalf("prompt %d, token %d: %+v, want %+v", i, j, one, want[skip+j])
				}
			} else if one.ID != text[32] || one.LogProb > 0 {
				t.Errorf("%+v", one)
			}
		}
	}
	if _, err := beside.Next(t.Context()); err != nil {
		t.Error(err)
	}
	s.Close()
	from.Close()
}

// TestScheduledChoices: requests on a model that chooses on the device get what they get alone, also where the host
// has a memory of its own.
func TestScheduledChoices(t *testing.T) {
	m := wordy(t)
	text := refmodel.RandomTokens(refmodel.Config{Vocab: 3001}, 7, 90)
	for _, unified := range []bool{true, false} {
		if !unified {
			separate(t, m)
		}
		check(t, 3, func(r *rapid.T) { testScheduled(r, m, text) })
	}
}

// TestTwins: requests are shared out among twins, each gets what it gets alone, and when one twin's device fails all end.
func TestTwins(t *testing.T) {
	m, twin := wordy(t), wordy(t)
	text := refmodel.RandomTokens(refmodel.Config{Vocab: 3001}, 8, 90)
	check(t, 4, func(r *rapid.T) { testScheduled(r, m, text, twin) })
	s := newScheduler(t, m, SchedulerOptions{Places: 3, Twins: []*Model{twin}})
	var streams []*Stream
	for range 3 {
		streams = append(streams, submit(t, s, t.Context(), endless(1)))
	}
	for _, one := range streams {
		if _, err := one.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Shares(); !slices.Equal(got, []int{2, 1}) {
		t.Errorf("three requests are shared out as %v", got)
	}
	if stats := s.Stats(); stats.Places != 3 || stats.Reading+stats.Generating != 3 || stats.Queued != 0 {
		t.Errorf("%+v", stats)
	}
	s.Break(fmt.Errorf("broken off: %w", vk.ErrDeviceLost))
	for i, one := range streams {
		if _, err := ended(one); !errors.Is(err, vk.ErrDeviceLost) {
			t.Errorf("stream %d ended with %v", i, err)
		}
	}
	for want, o := range map[string]SchedulerOptions{
		"its own twin":  {Places: 2, Twins: []*Model{m}},
		"another model": {Places: 2, Twins: []*Model{openModel(t, goldens(t)[0], Options{})}},
	} {
		if _, err := m.NewScheduler(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestSchedulerRefuses: what cannot be met is said at once.
func TestSchedulerRefuses(t *testing.T) {
	m := wordy(t)
	for _, o := range []SchedulerOptions{{}, {Places: MaxBatch + 1}, {Places: 1, MaxWait: -1}} {
		if _, err := m.NewScheduler(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	s, state := newScheduler(t, m, SchedulerOptions{Places: 1}), newState(t, m)
	for want, change := range map[string]func(r *Request){
		"outside the vocabulary": func(r *Request) { r.Prompt = []int32{3001} },
		"no tokens given":        func(r *Request) { r.Prompt = nil },
		"are negative":           func(r *Request) { r.Options.MaxTokens = -1 },
		"within 0 to 20":         func(r *Request) { r.LogProbs = 21 },
		"without log-prob":       func(r *Request) { r.ScorePrompt = true },
		"nobody to take them":    func(r *Request) { r.Every = 5 },
		"checkpoint 1 after 1 of 1": func(r *Request) {
			r.Checkpoints, r.Checkpoint = []int{1, 1}, func(*State) {}
		},
		"temperature":          func(r *Request) { r.Options.Sample.Temperature = -1 },
		"saved state: cut":     func(r *Request) { r.Saved = []byte{1} },
		"and from a saved one": func(r *Request) { r.From, r.Saved = state, save(t, state) },
	} {
		r := short(1)
		change(&r)
		if _, err := s.Submit(t.Context(), r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	state.Close()
	r := short(1)
	r.From = state
	if _, err := ended(submit(t, s, t.Context(), r)); !errors.Is(err, ErrClosed) {
		t.Errorf("from a closed state: %v", err)
	}
	if n, err := ended(submit(t, s, t.Context(), short(2))); n != 2 || !errors.Is(err, io.EOF) {
		t.Errorf("then %d tokens, %v", n, err)
	}
}
