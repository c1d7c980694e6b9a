package engine_test

import (
	"context"

	. "github.com/mmrun/mmrun/engine"
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
