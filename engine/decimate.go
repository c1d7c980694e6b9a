package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/mmrun/mmrun/graph"
)

// A Decimation has layers drop tokens of a prompt, for themselves and every later layer (DeciMamba,
// arXiv 2406.14528). Nothing is dropped of what is generated after it.
type Decimation struct {
	Layers []int   // that drop tokens, from 0, ascending
	Base   int     // tokens that the first of them lets stay, beside the last Keep
	Beta   float64 // how many each later one lets stay, of those of the one before
	Least  int     // tokens that always stay, if there are as many
	Keep   int     // last tokens of the prompt, which are never dropped; 1 at least
}

// Kept are the positions in the prompt, ascending, of the tokens that a layer let stay.
type Kept struct {
	Layer     int
	Positions []int32
}

// Decimating is a Network whose layers can drop tokens of a prompt.
type Decimating interface {
	Network

	// Drops is an error where this network's layers cannot, after all.
	Drops() error

	// Weigh takes the residual stream r (T, d) of all tokens into layer l, up to where some are dropped. What the
	// others need to go on is kept (T, n), of the same n in every layer; sizes (1, T) says how much each matters.
	Weigh(p *Pass, l int, r graph.Value) (kept, sizes graph.Value)

	// Rest takes the stream of tokens that stay through the rest of layer l.
	Rest(p *Pass, l int, r, kept graph.Value)
}

// Check says what is wrong with a decimation of a model of the given number of layers, in the words of Go programs.
func (d Decimation) Check(layers int) error {
	for i, l := range d.Layers {
		if l < 0 || l >= layers || i > 0 && l <= d.Layers[i-1] {
			return fmt.Errorf("layers %v are not ascending within 0 to %d", d.Layers, layers-1)
		}
	}
	switch {
	case len(d.Layers) == 0:
		return errors.New("no layer drops tokens")
	case d.Base < 1:
		return fmt.Errorf("a base of %d tokens is less than 1", d.Base)
	case !(d.Beta > 0 && d.Beta <= 1):
		return fmt.Errorf("a beta of %g is not above 0, to 1", d.Beta)
	case d.Least < 0:
		return fmt.Errorf("at least %d tokens are less than 0", d.Least)
	case d.Keep < 1:
		return fmt.Errorf("the last %d tokens are less than 1", d.Keep)
	}
	return nil
}

// stay says which of some tokens stay in the i-th of the layers: their places, ascending.
func (d Decimation) stay(i int, sizes []float32) []int {
	n := max(0, len(sizes)-d.Keep)
	most := math.Floor(math.Min(float64(n), float64(d.Base)*math.Pow(d.Beta, float64(i))))
	order := make([]int, n)
	for t := range order {
		order[t] = t
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(sizes[b], sizes[a]) })
	order = order[:min(n, max(int(most), d.Least))]
	slices.Sort(order)
	for t := n; t < len(sizes); t++ {
		order = append(order, t)
	}
	return order
}

// Decimate feeds a whole prompt to an empty sequence, tokens being dropped on the way, and returns what stayed in
// each layer that drops. The logits after the last token are then the state's, and Generate goes on from there
// with an empty prompt. The result does not depend on the chunk. When ctx ends, the state is empty again.
func (m *Model) Decimate(ctx context.Context, s *State, tokens []int32, d Decimation, progress func(done, total int)) ([]Kept, error) {
	if err := m.there(s); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	clock := time.Now()
	kept, err := m.decimate(ctx, s, tokens, d, decimated{progress: progress})
	if err == nil {
		err = m.underway.wait()
	}
	s.timings.Prompt += lap(&clock)
	s.timings.PromptTokens += len(tokens)
	return kept, err
}

// ScoreLast is Decimate, and tells how surprised the model is by what comes after each of the last tokens, in
// nats: targets follow the last len(targets) of tokens, at most as many as are never dropped.
func (m *Model) ScoreLast(ctx context.Context, s *State, tokens, targets []int32, d Decimation) ([]float32, error) {
	if err := m.there(s); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if most := min(d.Keep, len(tokens)); len(targets) < 1 || len(targets) > most {
		return nil, fmt.Errorf("%d targets are not within 1 to %d", len(targets), most)
	}
	err := m.checkTargets(targets)
	if err == nil {
		err = m.prepareScore()
	}
	if err != nil {
		return nil, err
	}
	var all []float32
	_, err = m.decimate(ctx, s, tokens, d, decimated{after: func(first, n, left int) error {
		nats, err := m.scoreEnd(s, n, targets, left-first-len(targets))
		all = append(all, nats...)
		return err
	}})
	return all, err
}

// scoreEnd scores those of a pass's n tokens that targets are of: the first is at a place, which may lie before
// the pass or behind it.
func (m *Model) scoreEnd(s *State, n int, targets []int32, at int) (all []float32, err error) {
	block := m.programs.rowsBlock
	for from := 0; from < n; from += block {
		rows := make([]int32, min(block, n-from)) // of tokens before the first, any target will do
		skip := min(len(rows), max(0, at-from))
		if skip == len(rows) {
			continue
		}
		copy(rows[skip:], targets[from+skip-at:])
		nats, err := m.scoreRows(s, from/block, rows)
		if err != nil {
			return nil, err
		}
		all = append(all, nats[skip:]...)
	}
	return all, nil
}
