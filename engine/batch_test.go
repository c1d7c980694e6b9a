package engine_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	. "github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/refmodel"
	"github.com/mmrun/mmrun/sample"
)

// A task is a text to continue.
type task struct {
	prompt []int32
	o      GenerateOptions
}

func newBatch(t tester, m *Model, n int) *Batch {
	t.Helper()
	b, err := m.NewBatch(n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// together does tasks in a batch, each as soon as there is room, and returns their texts. look is
// called for every sequence with a new token.
func together(t tester, m *Model, b *Batch, tasks []task, look func(q *Sequence, i int)) [][]int32 {
	t.Helper()
	prompts, texts, of := newState(t, m), make([][]int32, len(tasks)), map[*Sequence]int{}
	room := b.Room()
	for next := 0; next < len(tasks) || b.Room() < room; {
		for ; next < len(tasks) && b.Room() > 0; next++ {
			if err := prompts.Reset(); err != nil {
				t.Fatal(err)
			}
			q, err := b.Join(context.Background(), prompts, tasks[next].prompt, tasks[next].o)
			if err != nil {
				t.Fatal(err)
			}
			of[q] = next
		}
		fresh, err := b.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range fresh {
			if !q.Stopped {
				texts[of[q]] = append(texts[of[q]], q.Token)
			}
			if look != nil {
				look(q, of[q])
			}
		}
	}
	return texts
}

// alone does a task by itself.
func alone(t tester, m *Model, one task) []int32 {
	t.Helper()
	return during(t, m, newState(t, m), one.prompt, one.o, goOn)
}

// tasksOf are n of different prompts, lengths and ways.
func tasksOf(tokens []int32, n int) []task {
	lengths := []int{1, 5, 16, 17, 31, 2, 64, 33, 8}
	tasks := make([]task, n)
	for i := range tasks {
		o := GenerateOptions{MaxTokens: 3 + 11*i%23, Stop: []int32{}}
		if i%3 > 0 {
			o.Sample = sample.Options{Temperature: 0.9, TopK: 20, TopP: 0.95, MinP: 0.02, Seed: uint64(i), RepeatPenalty: 1 + float64(i%2)/10}
		}
		length := min(lengths[i%len(lengths)], len(tokens)-1)
		tasks[i] = task{tokens[i%(len(tokens)-length):][:length], o}
	}
	return tasks
}

// TestBatchIsAlone: in batches of any size, with more texts than there is room for, every text is that of
// its prompt alone.
func TestBatchIsAlone(t *testing.T) {
	for _, dir := range goldens(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			m, g := openModel(t, dir, Options{Chunk: 16}), readGolden(t, dir)
			tasks := tasksOf(g.tokens, 9)
			tasks[4] = task{g.tokens[:32], GenerateOptions{MaxTokens: len(g.greedy), Stop: []int32{-1}}}
			var want [][]int32
			for i, one := range tasks {
				text := alone(t, m, one)
				if i%4 == 1 { // ends early
					tasks[i].o.Stop = []int32{text[len(text)/2]}
					text = text[:slices.Index(text, text[len(text)/2])]
				}
				want = append(want, text)
			}
			if !slices.Equal(want[4], g.greedy) {
				t.Fatalf("alone %v, want %v", want[4], g.greedy)
			}
			for _, n := range []int{3, 9} {
				for i, text := range together(t, m, newBatch(t, m, n), tasks, nil) {
					if !slices.Equal(text, want[i]) {
						t.Errorf("batch of %d: text %d is %v, want %v", n, i, text, want[i])
					}
				}
			}
		})
	}
}

// TestBatchChoices: texts chosen on the device from the highest logits, and from all where those do not
// decide, are those of their prompts alone; also where the host has a memory of its own.
func TestBatchChoices(t *testing.T) {
	m := wordy(t)
	for _, unified := range []bool{true, false} {
		if !unified {
			separate(t, m)
		}
		var tasks []task
		var want [][]int32
		for i, o := range ways {
			one := task{refmodel.RandomTokens(refmodel.Config{Vocab: 3001}, uint64(i), 5+i), GenerateOptions{MaxTokens: 8 + i%3, Sample: o, Stop: []int32{}}}
			tasks, want = append(tasks, one), append(want, alone(t, m, one))
		}
		for i, text := range together(t, m, newBatch(t, m, 4), tasks, nil) {
			if !slices.Equal(text, want[i]) {
				t.Errorf("unified %v: %+v: text %v, want %v", unified, ways[i], text, want[i])
			}
		}
	}
}

// TestBatchLeave: a sequence that its caller takes out makes room at once, and leaves the others as
// they were.
func TestBatchLeave(t *testing.T) {
	m := wordy(t)
	tasks := tasksOf(refmodel.RandomTokens(refmodel.Config{Vocab: 3001}, 1, 80), 6)
	b, left := newBatch(t, m, 3), map[int]bool{}
	texts := together(t, m, b, tasks, func(q *Sequence, i int) {
		if i%2 == 0 && !q.Ended && !left[i] {
			b.Leave(q)
			left[i] = true
		}
	})
	for i, text := range texts {
		want := alone(t, m, tasks[i])
		if left[i] {
			want = want[:1]
		}
		if !slices.Equal(text, want) {
			t.Errorf("text %d is %v, want %v", i, text, want)
		}
	}
}
