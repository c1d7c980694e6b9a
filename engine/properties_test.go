package engine_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	. "github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/sample"
)

// TestArchitectures holds random models of every architecture to what the engine promises of all.
func TestArchitectures(t *testing.T) {
	for _, kind := range ModelTypes() {
		t.Run(kind, func(t *testing.T) {
			one, ok := draws[kind]
			if !ok {
				t.Fatal("no random models of this kind are drawn")
			}
			check(t, one.times, func(r *rapid.T) {
				dir, text := written(r, one.draw(r))
				one := openModel(r, dir, Options{Chunk: between(r, "chunk", 1, 600)})
				two := openModel(r, dir, Options{Chunk: between(r, "other chunk", 1, 50)})
				all := newState(r, one)
				feed(r, all, text)
				testPieces(r, one, two, all, text)
				testSaved(r, two, text)
				testTogether(r, one, text)
				testScheduled(r, two, text)
			})
		})
	}
}

// TestSplit is the same of the golden models.
func TestSplit(t *testing.T) {
	for _, dir := range goldens(t) {
		t.Run(dir, func(t *testing.T) {
			one, two, g := openModel(t, dir, Options{}), openModel(t, dir, Options{Chunk: 23}), readGolden(t, dir)
			all := newState(t, one)
			feed(t, all, g.tokens)
			check(t, 8, func(r *rapid.T) { // each runs the device over a whole text
				testPieces(r, one, two, all, g.tokens)
				testSaved(r, two, g.tokens)
			})
		})
	}
}

// testPieces: logits and all that a sequence carries do not depend on how a text is cut into calls, nor on the
// chunk, nor on a save and a load between them, by another model too, nor on branches.
func testPieces(r *rapid.T, one, two *Model, all *State, text []int32) {
	r.Helper()
	now, other := newState(r, one), newState(r, two)
	for rest := text; len(rest) > 0; {
		n := between(r, "piece", 1, len(rest))
		feed(r, now, rest[:n])
		rest = rest[n:]
		switch rapid.SampledFrom([]string{"go on", "save", "branch", "stay"}).Draw(r, "then") {
		case "save":
			load(r, other, save(r, now))
			now, other = other, now
		case "branch":
			clone := branched(r, now)
			feed(r, now, text[:1]) // which the branch does not see
			now = clone
		case "stay":
			feed(r, branched(r, now), text[:1])
		}
	}
	compareStates(r, now, all)
}

// branched is a branch of a sequence.
func branched(r *rapid.T, s *State) *State {
	clone, err := s.Clone()
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(clone.Close)
	return clone
}

// testSaved: a sequence that goes on from a saved state is to the bit the one that was never interrupted.
func testSaved(r *rapid.T, m *Model, text []int32) {
	r.Helper()
	plain, now, other := newState(r, m), newState(r, m), newState(r, m)
	for rest := text; len(rest) > 0; {
		n := between(r, "piece", 1, len(rest))
		feed(r, plain, rest[:n])
		feed(r, now, rest[:n])
		rest = rest[n:]
		if yes(r, "save") {
			load(r, other, save(r, now))
			now, other = other, now
		}
	}
	compareBits(r, viewState(r, now), viewState(r, plain))
}

// testTogether: in a batch of any size, with more texts than there is room for, every text, its logits and all
// that its sequence carries are to the bit those of the text alone.
func testTogether(r *rapid.T, m *Model, text []int32) {
	r.Helper()
	room := between(r, "room", 1, 6)
	tasks := make([]task, between(r, "texts", room, room+3))
	for i := range tasks {
		from := between(r, "prompt", 0, len(text)-1)
		to := between(r, "to", from+1, min(from+70, len(text)))
		o := GenerateOptions{MaxTokens: between(r, "tokens", 1, 14), Stop: []int32{}}
		if yes(r, "chance") {
			o.Sample = sample.Options{Temperature: 0.9, TopK: 20, TopP: 0.95, Seed: uint64(i), RepeatPenalty: 1.1}
		}
		tasks[i] = task{text[from:to], o}
	}
	compareTogether(r, m, newBatch(r, m, room), tasks, func() bool { return yes(r, "look") })
}

// compareTogether does tasks in a batch, and step by step alone, and looks now and then at what sequences carry.
func compareTogether(t tester, m *Model, b *Batch, tasks []task, look func() bool) {
	t.Helper()
	apart := make([]*State, len(tasks))
	got := together(t, m, b, tasks, func(q *Sequence, i int) {
		if q.Ended {
			return
		}
		if apart[i] == nil {
			apart[i] = newState(t, m)
			read(t, m, apart[i], tasks[i].prompt)
		}
		feed(t, apart[i], []int32{q.Token})
		if look() {
			compareBits(t, viewBatch(t, m, b, q), viewState(t, apart[i]))
		}
	})
	for i, one := range tasks {
		if want := alone(t, m, one); !slices.Equal(got[i], want) {
			t.Errorf("text %d is %v, want %v", i, got[i], want)
		}
	}
}
