package memmamba

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/sample"
	"github.com/mmrun/mmrun/vk"
)

// MaxBatch is how many sequences a batch may hold.
const MaxBatch = ops.MaxSequences

// A Batch takes several sequences on together, a token each at a time, so that the weights are read
// once for all of them. Every sequence has its own state, length and way of choosing, and gets the
// tokens, to the bit of every logit, that it would get alone.
type Batch struct {
	model    *Model
	programs *programs // slots for all rows
	buffer   *vk.Buffer
	arena    *vk.Buffer
	steps    []*batchStep       // made when first needed
	begins   []*graph.Recording // of a window, by row, made when first needed

	free    []int       // rows that no sequence has
	active  []*Sequence // in the order in which they joined
	fed     []*Sequence // whose tokens are in the step under way, or none
	fresh   []*Sequence // what Next returned last
	pending vk.Pending
	choice  *batchStep // of the step under way

	submit []*graph.Recording // reused, as what follows
	room   []sample.Choice
	logits []float32
}

var errBatchClosed = errors.New("the batch is closed")

// A Sequence is one of a batch. It is part of it until it ends or leaves.
type Sequence struct {
	Token   int32 // that Next chose; a stop token does not belong to the sequence
	Ended   bool  // Token is the last one
	Stopped bool  // it ended because Token is a stop token

	row      int
	position int64 // tokens fed
	left     int   // tokens still to choose
	chosen   bool  // Token has not been returned by Next
	recent   []int32
	stop     []int32
	sampler  *sample.Sampler
}

// NewBatch returns a batch of room for n sequences, 1 to MaxBatch. Close gives it back. Sequences of a
// Transformer, whose caches grow, do not run together: an error.
func (m *Model) NewBatch(n int) (*Batch, error) {
	if n < 1 || n > MaxBatch {
		return nil, fmt.Errorf("batch of %d sequences is not within 1 to %d", n, MaxBatch)
	}
	if m.config.Transformer != nil {
		return nil, fmt.Errorf("model_type %q: sequences of a Transformer do not run together", m.config.ModelType)
	}
	b := &Batch{
		model: m, begins: make([]*graph.Recording, n),
		programs: &programs{layout: newStateLayout(m.config, n), device: m.device, unified: m.programs.unified, spans: map[string]vk.Span{}},
		room:     make([]sample.Choice, ops.MaxTop), logits: make([]float32, m.config.VocabSize),
	}
	for row := range n {
		b.free = append(b.free, n-1-row)
	}
	m.states++
	if err := b.allocate(n); err != nil {
		b.Close()
		return nil, fmt.Errorf("batch of %d: %w", n, err)
	}
	return b, nil
}

// Room is how many sequences may join now.
func (b *Batch) Room() int { return len(b.free) }

// Join reads a prompt into a state as Generate does, chooses the token after it, and takes the sequence
// into the batch. The state is copied and free for another prompt afterwards.
func (b *Batch) Join(ctx context.Context, s *State, prompt []int32, o GenerateOptions) (*Sequence, error) {
	m := b.model
	switch {
	case b.buffer == nil:
		return nil, errBatchClosed
	case len(b.free) == 0:
		return nil, fmt.Errorf("a batch of %d has no room", len(b.begins))
	case o.MaxTokens < 1:
		return nil, fmt.Errorf("a sequence of %d tokens to generate cannot join a batch", o.MaxTokens)
	}
	sampler, err := sample.New(o.Sample)
	if err != nil {
		return nil, err
	}
	clock := time.Now()
	if err := m.read(ctx, s, prompt, o, &clock); err != nil {
		return nil, err
	}
	token, err := m.choose(s, sampler, b.room)
	if err != nil {
		return nil, err
	}
	row := b.free[len(b.free)-1]
	if err := b.copyState(row, s); err != nil {
		return nil, err
	}
	b.free = b.free[:len(b.free)-1]
	q := &Sequence{Token: token, chosen: true, row: row, position: s.position, left: o.MaxTokens, stop: m.stops(o), sampler: sampler,
		recent: append(make([]int32, 0, recentTokens+1), s.recent...)}
	b.active = append(b.active, q)
	return q, nil
}

// Leave takes a sequence out of the batch before its end.
func (b *Batch) Leave(q *Sequence) {
	if i := slices.Index(b.active, q); i >= 0 {
		b.active = slices.Delete(b.active, i, i+1)
		b.free = append(b.free, q.row)
		q.Ended = true
	}
}

// Next chooses a token for every sequence and returns those that have a new one, valid until the
// next call; none when the batch is empty. The step that feeds the tokens is under way
// before the caller gets them. Those that have ended are no longer in the batch.
func (b *Batch) Next(ctx context.Context) ([]*Sequence, error) {
	if b.buffer == nil {
		return nil, errBatchClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := b.settle(); err != nil {
		return nil, err
	}
	b.fresh = b.fresh[:0]
	for _, q := range b.active {
		if !q.chosen {
			continue
		}
		q.chosen = false
		q.left--
		q.Stopped = slices.Contains(q.stop, q.Token)
		q.Ended = q.Stopped || q.left == 0
		b.fresh = append(b.fresh, q)
	}
	for _, q := range b.fresh {
		if q.Ended {
			b.Leave(q)
		}
	}
	return b.fresh, b.feed()
}

// settle waits for the step under way and chooses the tokens after it.
func (b *Batch) settle() error {
	if len(b.fed) == 0 {
		return nil
	}
	if err := b.pending.Wait(); err != nil {
		return err
	}
	fetched := b.choice.fetch == nil
	for i, q := range b.fed {
		if q.Ended { // it has left
			continue
		}
		if err := b.choose(q, i, &fetched); err != nil {
			return err
		}
	}
	b.fed = b.fed[:0]
	return nil
}

// choose takes a sequence's next token out of a row of the step's logits, all of which come to the host
// when the highest do not decide.
func (b *Batch) choose(q *Sequence, row int, fetched *bool) (err error) {
	q.sampler.SetPosition(q.position)
	q.chosen = true
	if b.choice.choose != nil {
		var ok bool
		if q.Token, ok = q.sampler.SampleTop(b.programs.choices(b.room, row), q.recent); ok {
			return nil
		}
	}
	if !*fetched {
		if err := b.choice.fetch.Run(); err != nil {
			return err
		}
		*fetched = true
	}
	if err := b.programs.readRow(b.logits, row); err != nil {
		return err
	}
	q.Token, err = q.sampler.Sample(b.logits, q.recent)
	return err
}

// copyState makes a row that of a state.
func (b *Batch) copyState(row int, s *State) error {
	c, err := b.model.device.NewCommands()
	if err != nil {
		return err
	}
	defer c.Close()
	for i, to := range b.programs.layout.parts {
		from := b.model.programs.layout.parts[i]
		c.Copy(b.buffer.Span(to.of(row), from.each), s.buffer.Span(from.at, from.each))
	}
	if err := c.End(); err != nil {
		return err
	}
	pending, err := b.model.device.Submit(c)
	if err != nil {
		return err
	}
	return pending.Wait()
}

// Bytes is the device memory that the batch takes, with all its states.
func (b *Batch) Bytes() int64 { return b.buffer.Size() + b.arena.Size() + b.programs.ioBytes() }

// Close frees the batch and all its states.
func (b *Batch) Close() {
	if b.programs == nil {
		return
	}
	for _, s := range b.steps {
		s.Close()
	}
	for _, r := range b.begins {
		if r != nil {
			r.Close()
		}
	}
	b.programs.Close()
	for _, buffer := range []*vk.Buffer{b.buffer, b.arena} {
		if buffer != nil {
			buffer.Close()
		}
	}
	b.programs, b.buffer, b.arena = nil, nil, nil
	b.active, b.fed = nil, nil
	b.model.states--
}

// spans are where programs of the batch find everything, their parameters in one of the blocks.
func (b *Batch) spans(block int) graph.Spans {
	slots := maps.Clone(b.programs.spans)
	slots[stateSlot] = b.buffer.Whole()
	for _, name := range []string{ops.ParamsSlot, ops.ParamsSlot + hostSide} {
		if span, ok := slots[name]; ok {
			slots[name] = span.Buffer.Span(int64(block)*paramsBlock, ops.ParamsBytes)
		}
	}
	return graph.Spans{Arena: b.arena.Whole(), Slots: slots}
}
