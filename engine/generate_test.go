package engine_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	. "github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/refmodel"
	"github.com/mmrun/mmrun/memmamba"
	"github.com/mmrun/mmrun/sample"
)

// wordy opens a random MemMamba model whose vocabulary is large enough for choices on the device, with
// padding behind it.
func wordy(t testing.TB) *Model {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	c := refmodel.Default(refmodel.MemMamba)
	c.Layers, c.Hidden, c.Vocab = 2, 32, 3001
	c.Memory.Window, c.Memory.Summary, c.Memory.Period = 8, 16, 2
	if err := refmodel.WriteRandom(dir, c, refmodel.Random{Seed: 3}); err != nil {
		t.Fatal(err)
	}
	m := openModel(t, dir, Options{Chunk: 16})
	if m.Choose() == nil {
		t.Fatal("the model does not choose on the device")
	}
	return m
}

var ways = []sample.Options{
	{},
	{RepeatPenalty: 1.3},
	{Temperature: 0.8, TopK: 40, TopP: 0.95, MinP: 0.05, Seed: 1},
	{Temperature: 1.5, TopK: 40, RepeatPenalty: 1.2, Seed: 2, Vocab: 2900},
	{Temperature: 0.5, MinP: 0.1, Seed: 3},
	{Temperature: 1, TopP: 0.9, Seed: 4},                 // all logits
	{Temperature: 1, Seed: 5},                            // all logits
	{Temperature: 1, TopK: 50, RepeatPenalty: 0.8},       // all logits
	{Temperature: 1, TopK: 100, RepeatPenalty: 1.1},      // all logits once the penalty has many tokens
	{RepeatPenalty: 1.1, RepeatLast: -1, Temperature: 0}, // the same
}

const waysTokens = 24

// byHand continues a prompt the plain way: all logits of every token are read and sampled from.
func byHand(t *testing.T, m *Model, s *State, prompt []int32, o sample.Options, n int) []int32 {
	t.Helper()
	sampler, err := sample.New(o)
	if err != nil {
		t.Fatal(err)
	}
	fed, all := prompt, slices.Clone(prompt)
	for range n {
		logits, err := m.Forward(context.Background(), s, fed)
		if err != nil {
			t.Fatal(err)
		}
		sampler.SetPosition(s.Position())
		id, err := sampler.Sample(logits, all)
		if err != nil {
			t.Fatal(err)
		}
		fed = []int32{id}
		all = append(all, id)
	}
	return all[len(prompt):]
}

// during generates and calls f for every token; f false ends it.
func during(t tester, m *Model, s *State, prompt []int32, o GenerateOptions, f func(n int, id int32) bool) []int32 {
	t.Helper()
	var got []int32
	for id, err := range m.Generate(context.Background(), s, prompt, o) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, id)
		if !f(len(got), id) {
			break
		}
	}
	return got
}

func goOn(int, int32) bool { return true }

// TestGenerateIsSampling: tokens chosen from what the device found highest, while it was already at
// the next, are those sampled from all logits one after another, whatever the options, and however
// often the caller stops, saves, branches or looks in between.
func TestGenerateIsSampling(t *testing.T) {
	m := wordy(t)
	prompt := refmodel.RandomTokens(refmodel.Config{Vocab: 3001}, 1, 21)
	for i, o := range ways {
		want := byHand(t, m, newState(t, m), prompt, o, waysTokens)
		options := GenerateOptions{MaxTokens: waysTokens, Sample: o, Stop: []int32{}}
		for name, look := range looks(t, m) {
			if name != "nothing" && i%3 != 1 { // a few ways meet all callers
				continue
			}
			t.Run(fmt.Sprintf("%+v/%s", o, name), func(t *testing.T) {
				s := newState(t, m)
				got := during(t, m, s, prompt, options, func(n int, id int32) bool { return look(t, s, n) })
				for len(got) < waysTokens { // look has ended it
					options := options
					options.MaxTokens = waysTokens - len(got)
					got = append(got, during(t, m, s, nil, options, func(n int, id int32) bool { return look(t, s, n) })...)
				}
				if !slices.Equal(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
				if want := int64(len(prompt) + waysTokens); s.Position() != want {
					t.Errorf("position %d, want %d", s.Position(), want)
				}
			})
		}
	}
}

// looks are what callers do while a text is written; false ends it.
func looks(t *testing.T, m *Model) map[string]func(t *testing.T, s *State, n int) bool {
	other := newState(t, m)
	return map[string]func(t *testing.T, s *State, n int) bool{
		"nothing": func(*testing.T, *State, int) bool { return true },
		"stop":    func(_ *testing.T, _ *State, n int) bool { return n%7 != 0 },
		"save": func(t *testing.T, s *State, n int) bool {
			data, err := s.MarshalBinary()
			if err == nil && n%3 == 0 {
				err = s.UnmarshalBinary(data)
			}
			if err != nil {
				t.Fatal(err)
			}
			return n%5 != 0
		},
		"branch": func(t *testing.T, s *State, n int) bool {
			clone, err := s.Clone()
			if err != nil {
				t.Fatal(err)
			}
			defer clone.Close()
			during(t, m, clone, nil, GenerateOptions{MaxTokens: 3, Sample: sample.Options{Temperature: 1}}, goOn)
			return n%5 != 0
		},
		"other": func(t *testing.T, s *State, n int) bool {
			if _, err := m.Forward(context.Background(), other, []int32{int32(n), 5}[:1+n%2]); err != nil {
				t.Fatal(err)
			}
			if _, err := memmamba.Memory(s); err != nil {
				t.Fatal(err)
			}
			return true
		},
	}
}

// TestStopTokenIsNotFed: after a stop token the sequence is what it was before it.
func TestStopTokenIsNotFed(t *testing.T) {
	m := wordy(t)
	prompt := []int32{5, 6, 7}
	all := during(t, m, newState(t, m), prompt, GenerateOptions{MaxTokens: 12, Stop: []int32{}}, goOn)
	stop := all[len(all)-1]
	at := slices.Index(all, stop)
	s := newState(t, m)
	if got := during(t, m, s, prompt, GenerateOptions{MaxTokens: 12, Stop: []int32{stop}}, goOn); !slices.Equal(got, all[:at]) {
		t.Fatalf("got %v, want %v", got, all[:at])
	}
	plain := newState(t, m)
	want, err := m.Forward(context.Background(), plain, append(prompt, all[:at]...))
	if err != nil {
		t.Fatal(err)
	}
	want = slices.Clone(want)
	got, err := s.Logits()
	if err != nil {
		t.Fatal(err)
	}
	if bad := far(got, want); bad != "" || s.Position() != plain.Position() {
		t.Errorf("position %d, want %d; logits: %s", s.Position(), plain.Position(), bad)
	}
}

// TestRecent: the last tokens, and those that the digest is of, are those fed and the one that waits, also of a state that was saved.
func TestRecent(t *testing.T) {
	m := openModel(t, filepath.Join(goldenDir, "mamba-tiny"), Options{})
	s, again := newState(t, m), newState(t, m)
	var fed []int32
	for token, err := range m.Generate(context.Background(), s, []int32{7, 8, 9}, GenerateOptions{MaxTokens: 2, Stop: []int32{}}) {
		if err != nil {
			t.Fatal(err)
		}
		fed = append(fed, token)
	}
	data, err := s.MarshalBinary()
	if err == nil {
		err = again.UnmarshalBinary(data)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := append([]int32{7, 8, 9}, fed...)
	if d := s.Digest(); d != (Digest{}).Then(want...) || again.Digest() != d {
		t.Errorf("the digest is %x and after a save %x", d, again.Digest())
	}
	for n := range 8 {
		last := want[max(0, len(want)-n):]
		if got := s.Recent(n); !slices.Equal(got, last) || !slices.Equal(again.Recent(n), last) {
			t.Errorf("the last %d tokens: %v and after a save %v, want %v", n, got, again.Recent(n), last)
		}
	}
}
