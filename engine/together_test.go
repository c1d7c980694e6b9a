package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/sample"
)

// A Batch is a batch that a test takes through its steps by hand, where a scheduler would do so.
type Batch struct {
	*batch
	of    map[*sequence]*Sequence
	fresh []*Sequence
}

// A Sequence is one of a Batch.
type Sequence struct {
	*sequence
	Ended, Stopped bool
	new            bool
	left           int
	stop           []int32
}

// Fed is how many tokens of a sequence were fed.
func (q *Sequence) Fed() int64 { return q.position }

func (m *Model) NewBatch(n int) (*Batch, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, err := m.newBatch(n)
	return &Batch{batch: b, of: map[*sequence]*Sequence{}}, err
}

func (b *Batch) Room() int { return len(b.free) }

func (b *Batch) Bytes() int64 { return b.bytes() }

func (b *Batch) Close() {
	b.model.mu.Lock()
	defer b.model.mu.Unlock()
	b.close()
}

// Join reads a prompt into a state, and takes the sequence in with the token after it.
func (b *Batch) Join(ctx context.Context, s *State, prompt []int32, o GenerateOptions) (*Sequence, error) {
	m := b.model
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(b.free) == 0 || o.MaxTokens < 1 {
		return nil, fmt.Errorf("no room, or %d tokens to generate", o.MaxTokens)
	}
	sampler, err := sample.New(o.Sample)
	if err != nil {
		return nil, err
	}
	clock := time.Now()
	if err := m.read(ctx, s, prompt, o, &clock); err != nil {
		return nil, err
	}
	one := &sequence{sampler: sampler}
	if one.Token, err = m.choose(s, sampler, make([]sample.Choice, ops.MaxTop)); err != nil {
		return nil, err
	}
	q := &Sequence{sequence: one, new: true, left: o.MaxTokens, stop: m.stops(o)}
	b.of[one] = q
	return q, b.enter(one, s)
}

func (b *Batch) Leave(q *Sequence) {
	b.leave(q.sequence)
	q.Ended = true
}

// Next returns the sequences that have a new token, and starts the step that feeds them.
func (b *Batch) Next(ctx context.Context) ([]*Sequence, error) {
	b.model.mu.Lock()
	defer b.model.mu.Unlock()
	if err := cmp.Or(b.ready(), ctx.Err()); err != nil {
		return nil, err
	}
	if err := b.settle(); err != nil {
		return nil, err
	}
	b.fresh = b.fresh[:0]
	for _, one := range b.active {
		if q := b.of[one]; q.new || q.chosen {
			q.new = false
			q.left--
			q.Stopped = slices.Contains(q.stop, q.Token)
			q.Ended = q.Stopped || q.left == 0 || q.position >= b.model.sizes.MaxTokens
			b.fresh = append(b.fresh, q)
		}
	}
	for _, q := range b.fresh {
		if q.Ended {
			b.leave(q.sequence)
		}
	}
	return b.fresh, b.feed()
}
