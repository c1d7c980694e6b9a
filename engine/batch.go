package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	model  *Model
	layout *layout
	link   *link      // slots for all rows
	buffer *vk.Buffer // the fixed parts of all states; nil when closed, or where there are none
	grown  []grown    // the growing parts, by row
	arena  *vk.Buffer
	steps  []*batchStep  // made when first needed
	begins []*batchBegin // made when first needed
	closed bool

	free    []int       // rows that no sequence has
	active  []*Sequence // in the order in which they joined
	fed     []*Sequence // whose tokens are in the step under way, or none
	fresh   []*Sequence // what Next returned last
	pending vk.Pending
	choice  *batchStep // of the step under way
	fetched bool       // its logits are on the host
	failed  error      // of the device, after which the sequences are undefined

	submit []*graph.Recording // reused, as what follows
	at     []int64
	room   []sample.Choice
	logits []float32
}

// A Sequence is one of a batch. It is part of it until it ends or leaves.
type Sequence struct {
	Token   int32 // that Next chose; a stop token does not belong to the sequence
	Ended   bool  // Token is the last one; the model may take no more
	Stopped bool  // it ended because Token is a stop token

	row      int
	position int64 // tokens fed
	left     int   // tokens still to choose
	chosen   bool  // Token has not been returned by Next
	recent   []int32
	stop     []int32
	sampler  *sample.Sampler
}

// NewBatch returns a batch of room for n sequences, 1 to MaxBatch. Close gives it back.
func (m *Model) NewBatch(n int) (*Batch, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, errModelClosed
	}
	if n < 1 || n > MaxBatch {
		return nil, fmt.Errorf("batch of %d sequences is not within 1 to %d", n, MaxBatch)
	}
	b := &Batch{
		model: m, layout: newLayout(m.config.Parts(), n), link: newLink(m.device, m.programs.unified),
		room: make([]sample.Choice, ops.MaxTop), logits: make([]float32, m.sizes.Vocab),
	}
	for row := range n {
		b.free = append(b.free, n-1-row)
	}
	m.states++
	if err := b.allocate(n); err != nil {
		b.close()
		return nil, fmt.Errorf("batch of %d: %w", n, err)
	}
	return b, nil
}

// ready refuses a batch that cannot go on.
func (b *Batch) ready() error {
	switch {
	case b.closed || b.model.closed:
		return fmt.Errorf("the batch is %w", ErrClosed)
	case b.failed != nil:
		return fmt.Errorf("a call failed on the device, the batch cannot go on: %w", b.failed)
	}
	return nil
}

// fail keeps an error of the device.
func (b *Batch) fail(err error) error {
	b.failed = errors.Join(b.failed, err)
	return err
}

// Room is how many sequences may join now.
func (b *Batch) Room() int {
	b.model.mu.Lock()
	defer b.model.mu.Unlock()
	return len(b.free)
}

// Join reads a prompt into a state as Generate does, chooses the token after it, and takes the sequence
// into the batch. The state is copied and free for another prompt afterwards.
func (b *Batch) Join(ctx context.Context, s *State, prompt []int32, o GenerateOptions) (*Sequence, error) {
	m := b.model
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := b.ready(); err != nil {
		return nil, err
	}
	switch {
	case len(b.free) == 0:
		return nil, fmt.Errorf("a batch of %d: %w", b.layout.sequences, ErrBatchFull)
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
	if err := b.takeState(row, s); err != nil {
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
	b.model.mu.Lock()
	defer b.model.mu.Unlock()
	b.leave(q)
}

func (b *Batch) leave(q *Sequence) {
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
	b.model.mu.Lock()
	defer b.model.mu.Unlock()
	if err := cmp.Or(b.ready(), ctx.Err()); err != nil {
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
		q.Ended = q.Stopped || q.left == 0 || q.position >= b.model.sizes.MaxTokens
		b.fresh = append(b.fresh, q)
	}
	for _, q := range b.fresh {
		if q.Ended {
			b.leave(q)
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
		return b.fail(err)
	}
	for i, q := range b.fed {
		if q.Ended { // it has left
			continue
		}
		if err := b.choose(q, i); err != nil {
			return b.fail(err)
		}
	}
	b.fed = b.fed[:0]
	return nil
}

// choose takes a sequence's next token out of a row of the step's logits, all of which come to the host
// when the highest do not decide.
func (b *Batch) choose(q *Sequence, row int) (err error) {
	q.sampler.SetPosition(q.position)
	q.chosen = true
	if b.choice.choose != nil {
		var ok bool
		if q.Token, ok = q.sampler.SampleTop(b.link.choices(b.room, row), q.recent); ok {
			return nil
		}
	}
	if err := b.fetch(); err != nil {
		return err
	}
	if err := b.link.readLogits(b.logits, row); err != nil {
		return err
	}
	q.Token, err = q.sampler.Sample(b.logits, q.recent)
	return err
}

// fetch brings the logits of the step under way to the host.
func (b *Batch) fetch() error {
	if b.fetched {
		return nil
	}
	b.fetched = true
	return b.choice.fetch.Run()
}

// takeState makes a row that of a state.
func (b *Batch) takeState(row int, s *State) error {
	if err := b.reserve(row, s.position+1, 0); err != nil {
		return err
	}
	var pairs [][2]vk.Span
	for i, to := range b.layout.fixed {
		if to.size() > 0 {
			from := b.model.layout.fixed[i]
			pairs = append(pairs, [2]vk.Span{b.buffer.Span(to.of(row), to.size()), s.buffer.Span(from.at, from.size())})
		}
	}
	if b.grown != nil {
		pairs = append(pairs, b.grown[row].pairs(s.grown, s.position)...)
	}
	return b.model.copy(pairs...)
}

// reserve makes room for so many tokens in the growing parts of a row, which has some.
func (b *Batch) reserve(row int, tokens, have int64) error {
	if b.grown == nil || b.grown[row].has(tokens) {
		return nil
	}
	if len(b.fed) > 0 { // a step is under way on what is given back
		err := b.pending.Wait()
		if err == nil {
			err = b.fetch()
		}
		if err != nil {
			return b.fail(err)
		}
	}
	b.closeRecordings() // they are bound to what is there now
	return b.model.reserve(b.grown[row], tokens, have)
}

// Bytes is the device memory that the batch takes, with all its states.
func (b *Batch) Bytes() int64 {
	bytes := b.arena.Size() + b.link.bytes()
	if b.buffer != nil {
		bytes += b.buffer.Size()
	}
	for _, g := range b.grown {
		bytes += g.bytes()
	}
	return bytes
}

// Close frees the batch and all its states.
func (b *Batch) Close() {
	b.model.mu.Lock()
	defer b.model.mu.Unlock()
	if !b.closed {
		b.close()
	}
}

func (b *Batch) close() {
	b.closed = true
	b.closeRecordings()
	b.link.close()
	for _, g := range b.grown {
		g.close()
	}
	for _, buffer := range []*vk.Buffer{b.buffer, b.arena} {
		if buffer != nil {
			buffer.Close()
		}
	}
	b.active, b.fed = nil, nil
	b.model.states--
}
