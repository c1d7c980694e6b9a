package memmamba

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mmrun/mmrun/internal/refmodel"
	"github.com/mmrun/mmrun/sample"
)

// A task is a text to continue.
type task struct {
	prompt []int32
	o      GenerateOptions
}

func newBatch(t testing.TB, m *Model, n int) *Batch {
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
func together(t testing.TB, m *Model, b *Batch, tasks []task, look func(q *Sequence, i int)) [][]int32 {
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
func alone(t testing.TB, m *Model, one task) []int32 {
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
	dirs, err := os.ReadDir(goldenDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		t.Run(d.Name(), func(t *testing.T) {
			dir := filepath.Join(goldenDir, d.Name())
			m, g := openModel(t, dir, Options{Chunk: 16}), readGolden(t, dir)
			if m.config.Transformer != nil {
				if _, err := m.NewBatch(3); err == nil || !strings.Contains(err.Error(), "do not run together") {
					t.Errorf("a batch of a Transformer: %v", err)
				}
				return
			}
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

// TestBatchState: what a sequence carries in a batch is, to the bit, what it carries alone, though its
// window begins when no other's does.
func TestBatchState(t *testing.T) {
	for _, c := range batchConfigs() {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "model")
			if err := refmodel.WriteRandom(dir, c.Config, refmodel.Random{Seed: 5}); err != nil {
				t.Fatal(err)
			}
			m := openModel(t, dir, Options{Chunk: 16})
			tokens := refmodel.RandomTokens(c.Config, 2, 80)
			b, tasks, texts := newBatch(t, m, 5), tasksOf(tokens, 5), make([][]int32, 5)
			for i := range tasks {
				tasks[i].o.MaxTokens = 13
			}
			together(t, m, b, tasks, func(q *Sequence, i int) {
				texts[i] = append(texts[i], q.Token)
				if len(texts[i]) == 12 && i%2 == 1 {
					sameState(t, m, b, q, append(slices.Clone(tasks[i].prompt), texts[i]...), len(tasks[i].prompt))
				}
			})
		})
	}
}

type batchConfig struct {
	refmodel.Config
	name string
}

// batchConfigs are models of every kind of schedule.
func batchConfigs() []batchConfig {
	var all []batchConfig
	for _, kind := range []string{refmodel.Mamba, refmodel.FalconMamba} {
		c := refmodel.Default(kind)
		c.Layers, c.Hidden, c.Vocab = 2, 40, 300
		all = append(all, batchConfig{c, kind})
	}
	for _, W := range []int{1, 8} {
		for _, threshold := range []float64{0, 0.5} {
			c := refmodel.Default(refmodel.MemMamba)
			c.Layers, c.Hidden, c.Vocab = 3, 24, 300
			c.Memory.Window, c.Memory.Summary, c.Memory.Period, c.Memory.Pool, c.Memory.StateThreshold = W, 12, 2, 5, threshold
			if W == 1 {
				c.Memory.Pooling, c.Memory.Replacement, c.Memory.Fusion = "mean", "priority", "gated"
			}
			all = append(all, batchConfig{c, fmt.Sprintf("memmamba/W=%d/τ2=%g", W, threshold)})
		}
	}
	return all
}

// sameState compares a row of a batch, which has been fed all tokens, with a state that was fed them
// alone.
func sameState(t *testing.T, m *Model, b *Batch, q *Sequence, tokens []int32, prompt int) {
	t.Helper()
	s := newState(t, m)
	for fed := 0; fed < len(tokens); {
		n := 1
		if fed == 0 {
			n = prompt
		}
		if _, err := m.Forward(context.Background(), s, tokens[fed:fed+n]); err != nil {
			t.Fatal(err)
		}
		fed += n
	}
	if q.position != s.position {
		t.Fatalf("position %d, want %d", q.position, s.position)
	}
	if err := b.pending.Wait(); err != nil {
		t.Fatal(err)
	}
	var got, want [][]byte
	for i, from := range m.programs.layout.parts {
		part, err := s.download(from.at, from.each)
		if err != nil {
			t.Fatal(err)
		}
		want, got = append(want, part), append(got, make([]byte, from.each))
		if err := m.device.Download(got[i], b.buffer.Span(b.programs.layout.parts[i].of(q.row), from.each)); err != nil {
			t.Fatal(err)
		}
	}
	if m.Config().Memory != nil {
		blank(m, got)
		blank(m, want)
	}
	for i := range want {
		if !slices.Equal(got[i], want[i]) {
			t.Errorf("part %d of the state differs after %d tokens", i, len(tokens))
		}
	}
}

// blank clears what nobody reads: where there is no note, its summary, keys and values are anything.
func blank(m *Model, parts [][]byte) {
	parts = parts[2*m.Config().NumHiddenLayers:]
	for numbers, worth := range map[int]int{0: 1, 2: 1, 4: 5, 6: 1, 7: 8} { // as in memoryLayout.parts
		if numbers >= len(parts) {
			continue
		}
		rows := len(parts[worth]) / 4
		size := len(parts[numbers]) / rows
		for i := range rows {
			if slices.Max(parts[worth][4*i:4*i+4]) == 0 {
				clear(parts[numbers][i*size : (i+1)*size])
			}
		}
	}
}

// TestBatchChoices: texts chosen on the device from the highest logits, and from all where those do not
// decide, are those of their prompts alone; also where the host has a memory of its own.
func TestBatchChoices(t *testing.T) {
	m := wordy(t)
	for _, unified := range []bool{true, false} {
		if !unified {
			separate(t, m, 16)
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
