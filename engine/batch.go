package engine

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/sample"
	"github.com/mmrun/mmrun/vk"
)

// MaxBatch is how many sequences may generate together.
const MaxBatch = ops.MaxSequences

// A batch takes several sequences on together, a token each at a time, so that the weights are read
// once for all of them. Every sequence has its own state, length and way of choosing, and gets the
// tokens, to the bit of every logit, that it would get alone.
type batch struct {
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
	active  []*sequence // in the order in which they joined
	fed     []*sequence // whose tokens are in the step under way, or none
	pending vk.Pending
	choice  *batchStep // of the last step
	fetched bool       // its logits are on the host
	failed  error      // of the device, after which the sequences are undefined

	submit []*graph.Recording // reused, as what follows
	at     []int64
	room   []sample.Choice
	logits []float32
}

// A sequence is one of a batch, until it leaves.
type sequence struct {
	Token int32 // that was chosen last, to be fed next

	row      int
	line     int   // of the last step: where its logits are
	position int64 // tokens fed
	last     bool  // nothing is chosen after Token
	chosen   bool  // Token is of the last step
	recent   []int32
	sum      Digest // of all tokens fed
	sampler  *sample.Sampler
	err      error // that ends this sequence alone
	job      *job  // whose text it is
}

// newBatch returns a batch of room for n sequences.
func (m *Model) newBatch(n int) (*batch, error) {
	if m.closed {
		return nil, errModelClosed
	}
	if n < 1 || n > MaxBatch {
		return nil, fmt.Errorf("batch of %d sequences is not within 1 to %d", n, MaxBatch)
	}
	b := &batch{
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
func (b *batch) ready() error {
	switch {
	case b.model.closed:
		return errModelClosed
	case b.closed:
		return fmt.Errorf("the batch is %w", ErrClosed)
	case b.failed != nil:
		return fmt.Errorf("a call failed on the device, the batch cannot go on: %w", b.failed)
	}
	return nil
}

// fail keeps an error of the device.
func (b *batch) fail(err error) error {
	b.failed = errors.Join(b.failed, err)
	return err
}

// enter takes a sequence in, whose token was chosen after a state. The state is copied. There is room.
func (b *batch) enter(q *sequence, s *State) error {
	row := b.free[len(b.free)-1]
	if err := b.takeState(row, s); err != nil {
		return err
	}
	b.free = b.free[:len(b.free)-1]
	q.row, q.position, q.sum = row, s.position, s.sum
	q.recent = append(make([]int32, 0, recentTokens+1), s.recent...)
	b.active = append(b.active, q)
	return nil
}

// leave takes a sequence out.
func (b *batch) leave(q *sequence) {
	if i := slices.Index(b.active, q); i >= 0 {
		b.active = slices.Delete(b.active, i, i+1)
		b.free = append(b.free, q.row)
	}
	if i := slices.Index(b.fed, q); i >= 0 {
		b.fed[i] = nil // nobody wants what follows
	}
}

// settle waits for the step under way and chooses the tokens after it.
func (b *batch) settle() error {
	if len(b.fed) == 0 {
		return nil
	}
	if err := b.pending.Wait(); err != nil {
		return b.fail(err)
	}
	for line, q := range b.fed {
		if q == nil {
			continue
		}
		if q.line = line; q.last {
			continue
		}
		if err := b.choose(q); err != nil {
			return err
		}
	}
	b.fed = b.fed[:0]
	return nil
}

// choose takes a sequence's next token out of its line of the step's logits, all of which come to the host
// when the highest do not decide. What the sampler does not like is the sequence's alone.
func (b *batch) choose(q *sequence) error {
	q.sampler.SetPosition(q.position)
	q.chosen = true
	if b.choice.choose != nil {
		var ok bool
		if q.Token, ok = q.sampler.SampleTop(b.link.choices(b.room, q.line), q.recent); ok {
			return nil
		}
	}
	if err := b.readLogits(q, b.logits); err != nil {
		return err
	}
	q.Token, q.err = q.sampler.Sample(b.logits, q.recent)
	return nil
}

// readLogits are those of the last step for one of its sequences.
func (b *batch) readLogits(q *sequence, to []float32) error {
	if err := b.fetch(); err != nil {
		return b.fail(err)
	}
	return b.link.readLogits(to, q.line)
}

// fetch brings the logits of the last step to the host.
func (b *batch) fetch() error {
	if b.fetched {
		return nil
	}
	b.fetched = true
	return b.choice.fetch.Run()
}

// takeState makes a row that of a state.
func (b *batch) takeState(row int, s *State) error {
	if err := b.reserve(row, s.position+1, 0); err != nil {
		return err
	}
	return b.model.copy(b.pairs(row, s, s.position)...)
}

// giveState makes a state that of a sequence after the last step.
func (b *batch) giveState(q *sequence, s *State) error {
	if err := s.reserve(max(q.position, 1)); err != nil {
		return err
	}
	pairs := b.pairs(q.row, s, q.position)
	for i, p := range pairs {
		pairs[i] = [2]vk.Span{p[1], p[0]}
	}
	if err := b.model.copy(pairs...); err != nil {
		return s.fail(err)
	}
	if s.logits == nil {
		s.logits = make([]float32, b.model.sizes.Vocab)
	}
	if err := b.readLogits(q, s.logits); err != nil {
		return err
	}
	s.position, s.next, s.recent, s.sum = q.position, s.next[:0], append(s.recent[:0], q.recent...), q.sum
	return nil
}

// pairs are what a row and a state have of the given number of tokens, in the order to copy to the row.
func (b *batch) pairs(row int, s *State, tokens int64) (pairs [][2]vk.Span) {
	for i, r := range b.layout.fixed {
		if r.size() > 0 {
			one := b.model.layout.fixed[i]
			pairs = append(pairs, [2]vk.Span{b.buffer.Span(r.of(row), r.size()), s.buffer.Span(one.at, one.size())})
		}
	}
	if b.grown != nil {
		pairs = append(pairs, b.grown[row].pairs(s.grown, tokens)...)
	}
	return pairs
}

// reserve makes room for the given number of tokens in the growing parts of a row, which has some.
func (b *batch) reserve(row int, tokens, have int64) error {
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

// bytes is the device memory that the batch takes, with all its states.
func (b *batch) bytes() int64 {
	bytes := b.arena.Size() + b.link.bytes()
	if b.buffer != nil {
		bytes += b.buffer.Size()
	}
	for _, g := range b.grown {
		bytes += g.bytes()
	}
	return bytes
}

func (b *batch) close() {
	if b.closed {
		return
	}
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
