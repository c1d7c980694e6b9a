package engine_test

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"pgregory.net/rapid"

	. "github.com/mmrun/mmrun/engine"
)

// read reads a prompt as Generate does.
func read(t tester, m *Model, s *State, prompt []int32) {
	t.Helper()
	during(t, m, s, prompt, GenerateOptions{}, goOn)
}

// A seen is all there is to see of a request.
type seen struct {
	prompt, tokens []Token
	shown          []*State // at checkpoints, in order
	end            *State
	err            error
}

// clonesOf has a request's states kept.
func clonesOf(t tester, r *Request, into *seen) {
	keep := func(s *State) *State {
		clone, err := s.Clone()
		if err != nil {
			t.Errorf("cloning at %d: %v", s.Position(), err)
			return nil
		}
		return clone
	}
	if r.Every > 0 || len(r.Checkpoints) > 0 {
		r.Checkpoint = func(s *State) { into.shown = append(into.shown, keep(s)) }
	}
	r.End = func(s *State) { into.end = keep(s) }
}

// close gives all states back.
func (s *seen) close() {
	for _, one := range append(s.shown, s.end) {
		if one != nil {
			one.Close()
		}
	}
}

// takes takes all of a stream, and after the given number of tokens ends the request, unless that is less than 0.
func (s *seen) takes(stream *Stream, after int, cancel func()) {
	for s.err == nil {
		if after >= 0 && len(s.tokens) >= after {
			cancel()
		}
		var one Token
		if one, s.err = stream.Next(context.Background()); s.err == nil {
			s.tokens = append(s.tokens, one)
		}
	}
	s.prompt = stream.Prompt()
}

// byItself is what a request comes to alone: its prompt read by Generate in pieces between checkpoints, then token
// after token.
func byItself(t tester, m *Model, r Request) *seen {
	t.Helper()
	want, s := &seen{err: io.EOF}, newState(t, m)
	if r.From != nil {
		load(t, s, save(t, r.From))
	}
	clonesOf(t, &r, want)
	due := func() bool { return r.Every > 0 && s.Position()%int64(r.Every) == 0 }
	start := s.Position()
	for done, n := 0, 0; done < len(r.Prompt); done += n {
		for n = 1; done+n < len(r.Prompt) && !slices.Contains(r.Checkpoints, done+n) && (r.Every == 0 || (start+int64(done+n))%int64(r.Every) != 0); {
			n++
		}
		read(t, m, s, r.Prompt[done:done+n])
		if due() || slices.Contains(r.Checkpoints, done+n) {
			r.Checkpoint(s)
		}
	}
	if len(r.Prompt) == 0 && s.Position() > start {
		t.Fatal("nothing was read")
	}
	logits, err := s.Logits()
	if err != nil {
		t.Fatal(err)
	}
	logits = slices.Clone(logits)
	options := r.Options
	during(t, m, s, nil, options, func(n int, id int32) bool {
		want.tokens = append(want.tokens, tokenOf(logits, id, r))
		if n == options.MaxTokens || s.Position() > m.Sizes().MaxTokens-1 {
			return n < options.MaxTokens && s.Position() < m.Sizes().MaxTokens
		}
		next, err := s.Logits()
		if err != nil {
			t.Fatal(err)
		}
		logits = slices.Clone(next)
		if due() {
			r.Checkpoint(s)
		}
		return true
	})
	if stops := options.Stop; len(want.tokens) < options.MaxTokens && len(stops) > 0 {
		want.tokens = append(want.tokens, tokenOf(logits, stops[0], r))
		want.tokens[len(want.tokens)-1].Stopped = true
	} else if options.MaxTokens > 0 && s.Position() < m.Sizes().MaxTokens {
		feed(t, s, nil)
		if due() {
			r.Checkpoint(s)
		}
	}
	r.End(s)
	return want
}

// tokenOf is a token with what logits say of it.
func tokenOf(logits []float32, id int32, r Request) Token {
	one := Token{ID: id}
	if r.LogProbs < 0 {
		return one
	}
	highest, sum := float64(slices.Max(logits)), 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v) - highest)
	}
	prob := func(id int32) float32 { return float32(float64(logits[id]) - (highest + math.Log(sum))) }
	one.LogProb = prob(id)
	ids := make([]int32, len(logits))
	for i := range ids {
		ids[i] = int32(i)
	}
	slices.SortStableFunc(ids, func(a, b int32) int {
		switch {
		case logits[a] > logits[b]:
			return -1
		case logits[a] < logits[b]:
			return 1
		}
		return 0
	})
	for _, id := range ids[:min(r.LogProbs, len(ids))] {
		one.Top = append(one.Top, TokenProb{ID: id, LogProb: prob(id)})
	}
	return one
}

func sameTokens(got, want []Token) bool {
	return slices.EqualFunc(got, want, func(a, b Token) bool {
		return a.ID == b.ID && a.Stopped == b.Stopped && a.LogProb == b.LogProb && slices.Equal(a.Top, b.Top)
	})
}

// drawRequest draws a request for a part of a text, at times one that goes on from a state.
func drawRequest(r *rapid.T, m *Model, text []int32) Request {
	from := between(r, "prompt", 0, len(text)-1)
	prompt := text[from:between(r, "to", from+1, min(from+70, len(text)))]
	one := Request{Prompt: prompt, LogProbs: between(r, "log-probabilities", -1, 4)}
	one.Options = GenerateOptions{MaxTokens: between(r, "tokens", 0, 12), Stop: []int32{}}
	if yes(r, "stops") {
		one.Options.Stop = []int32{int32(between(r, "stop", 0, min(m.Sizes().Vocab, 40)-1))}
	}
	if yes(r, "chance") {
		one.Options.Sample = rapid.SampledFrom(ways).Draw(r, "way")
		one.Options.Sample.Vocab = 0
	}
	if yes(r, "checkpoint") {
		one.Checkpoints = []int{between(r, "checkpoint at", 1, len(prompt))}
	}
	if yes(r, "checkpoints") {
		one.Every = between(r, "every", 7, 60)
	}
	if yes(r, "goes on") {
		s := newState(r, m)
		read(r, m, s, text[:between(r, "before", 1, min(len(text), 40))])
		if yes(r, "from a token") {
			during(r, m, s, nil, GenerateOptions{MaxTokens: 1, Stop: []int32{}}, goOn)
		}
		one.From = s
	}
	return one
}

// testScheduled: whatever requests come, go and are cancelled beside it, what a request gets is to the bit what it
// gets alone: tokens, log-probabilities, and all that its sequence carries at checkpoints and at its end. Twins take
// some of the requests on, and what a request goes on from may be saved.
func testScheduled(r *rapid.T, m *Model, text []int32, twins ...*Model) {
	r.Helper()
	wait := rapid.SampledFrom([]time.Duration{1, time.Millisecond, time.Second}).Draw(r, "longest wait")
	s, n := newScheduler(r, m, SchedulerOptions{Places: between(r, "places", 1, 4), MaxWait: wait, Twins: twins}), between(r, "requests", 2, 4)
	requests, got, after := make([]Request, n), make([]*seen, n), make([]int, n)
	var all sync.WaitGroup
	for i := range n {
		requests[i], got[i], after[i] = drawRequest(r, m, text), &seen{}, between(r, "cancelled after", -8, 8)
		one := requests[i]
		if clonesOf(r, &one, got[i]); one.From != nil && yes(r, "saved") {
			one.From, one.Saved = nil, save(r, one.From)
		}
		ctx, cancel := context.WithCancel(context.Background())
		stream, err := s.Submit(ctx, one)
		if err != nil {
			r.Fatal(err)
		}
		all.Go(func() { got[i].takes(stream, after[i], cancel) })
	}
	all.Wait()
	for i := range n {
		defer got[i].close()
		want := byItself(r, m, requests[i])
		defer want.close()
		compareSeen(r, got[i], want, after[i] >= 0)
	}
}

// compareSeen holds what was seen of a request to what it is alone; one that was cancelled has the beginning.
func compareSeen(t tester, got, want *seen, cancelled bool) {
	t.Helper()
	if cancelled && errors.Is(got.err, context.Canceled) {
		if len(got.tokens) > len(want.tokens) || !sameTokens(got.tokens, want.tokens[:len(got.tokens)]) {
			t.Errorf("tokens %v, want the first of %v", got.tokens, want.tokens)
		}
		return
	}
	if !errors.Is(got.err, io.EOF) || !sameTokens(got.tokens, want.tokens) {
		t.Fatalf("%v: tokens %v, want %v", got.err, got.tokens, want.tokens)
	}
	if len(got.shown) != len(want.shown) || got.end == nil {
		t.Fatalf("%d checkpoints, want %d; the end is %v", len(got.shown), len(want.shown), got.end)
	}
	for i, s := range want.shown {
		compareBits(t, viewState(t, got.shown[i]), viewState(t, s))
	}
	compareBits(t, viewState(t, got.end), viewState(t, want.end))
}
