package engine

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/vk"
)

// A batchStep feeds a token to each of up to the given number of sequences and finds the highest logits.
type batchStep struct {
	rows     int
	programs [3]*graph.Program
	step     *graph.Recording
	choose   *graph.Recording // nil when all logits are as quickly read
	fetch    *graph.Recording // brings them to the host; nil when they are there
}

// A batchBegin does what is due in up to the given number of sequences whose windows begin.
type batchBegin struct {
	rows    int
	program *graph.Program
	begin   *graph.Recording
}

// stepRows is for how many sequences the step of a smaller number is made: those that are not there cost little,
// and a step for every number would have to be built.
func stepRows(sequences, most int) int {
	rows := 1
	for rows < sequences && rows < 8 {
		rows *= 2
	}
	if sequences > 8 {
		rows = (sequences + 7) / 8 * 8
	}
	return min(rows, most)
}

// allocate makes the memory of a batch of n, and the step of all of them, which needs the most.
func (b *batch) allocate(n int) (err error) {
	m := b.model
	for name, bytes := range map[string]int64{
		ops.ParamsSlot: 2 * paramsBlock, // of the step, then of what is due before it
		idsSlot:        4 * int64(n),
		logitsSlot:     4 * int64(n) * int64(m.network.Ends().Head.Rows),
		choicesSlot:    8 * ops.MaxTop * int64(n),
	} {
		if err := b.link.shared(name, bytes); err != nil {
			return err
		}
	}
	if b.layout.bytes > 0 {
		if b.buffer, err = m.device.NewBuffer(b.layout.bytes, vk.DeviceLocal); err != nil {
			return fmt.Errorf("states: %w", err)
		}
	}
	if len(b.layout.growing) > 0 {
		for row := range n {
			b.grown = append(b.grown, newGrown(b.layout.growing))
			if err := b.reserve(row, 1, 0); err != nil {
				return err
			}
		}
	}
	step, err := b.plan(n)
	if err != nil {
		return err
	}
	b.steps = append(b.steps, step)
	bytes := int64(256)
	for _, one := range step.programs {
		if one != nil {
			bytes = max(bytes, one.Arena())
		}
	}
	if m.programs.begin != nil {
		begin, err := b.planBegin(n)
		if err != nil {
			return err
		}
		b.begins, bytes = append(b.begins, begin), max(bytes, begin.program.Arena())
	}
	if b.arena, err = m.device.NewBuffer(bytes, vk.DeviceLocal); err != nil {
		return fmt.Errorf("activations: %w", err)
	}
	return nil
}

// plan makes the programs of a step of rows.
func (b *batch) plan(rows int) (*batchStep, error) {
	s, vocab := &batchStep{rows: rows}, b.model.sizes.Vocab
	builds := []func(*Pass){b.link.buildStep, func(p *Pass) { b.link.buildChoose(p, vocab) }, b.link.buildFetch}
	wanted := []bool{true, b.model.chooses(), !b.link.unified}
	for i, build := range builds {
		if !wanted[i] {
			continue
		}
		var err error
		if s.programs[i], err = b.model.plan(b.layout, rows, build); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// record binds the programs of a step, unless they are bound.
func (b *batch) record(s *batchStep) (*batchStep, error) {
	for i, into := range []**graph.Recording{&s.step, &s.choose, &s.fetch} {
		if s.programs[i] == nil || *into != nil {
			continue
		}
		var err error
		if *into, err = s.programs[i].Record(b.spans(0)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// step returns the step for the given number of sequences.
func (b *batch) step(sequences int) (*batchStep, error) {
	rows := stepRows(sequences, b.layout.sequences)
	for _, s := range b.steps {
		if s.rows == rows {
			return b.record(s)
		}
	}
	s, err := b.plan(rows)
	if err != nil {
		return nil, err
	}
	b.steps = append(b.steps, s)
	return b.record(s)
}

// planBegin makes the program of windows that begin in the given number of rows.
func (b *batch) planBegin(rows int) (*batchBegin, error) {
	program, err := b.model.plan(b.layout, rows, b.link.buildBegin)
	return &batchBegin{rows: rows, program: program}, err
}

// begin returns what is due in the given number of sequences whose windows begin together.
func (b *batch) begin(sequences int) (_ *graph.Recording, err error) {
	rows := stepRows(sequences, b.layout.sequences)
	i := slices.IndexFunc(b.begins, func(one *batchBegin) bool { return one.rows == rows })
	if i < 0 {
		one, err := b.planBegin(rows)
		if err != nil {
			return nil, err
		}
		i, b.begins = len(b.begins), append(b.begins, one)
	}
	one := b.begins[i]
	if one.begin == nil {
		one.begin, err = one.program.Record(b.spans(1))
	}
	return one.begin, err
}

// grow makes room for the next token of every sequence. One for which there is none leaves, with its error.
func (b *batch) grow() error {
	for i := 0; i < len(b.active); {
		q := b.active[i]
		if q.err = b.reserve(q.row, q.position+1, q.position); q.err == nil {
			i++
			continue
		}
		if b.failed != nil {
			return b.failed
		}
		b.leave(q)
	}
	return nil
}

// feed starts the step that feeds every sequence its token, with what is due before it, in one go.
func (b *batch) feed() error {
	if err := b.grow(); err != nil || len(b.active) == 0 { // first, since it closes recordings
		return err
	}
	b.submit = b.submit[:0]
	ids, all, due, begins := b.link.mapped(idsSlot), b.link.params(0), b.link.params(1), 0
	all.pass(1, len(b.active))
	for i, q := range b.active {
		binary.LittleEndian.PutUint32(ids[4*i:], uint32(q.Token))
		all.sequence(i, q.position, q.row)
		if b.model.begins(q.position) {
			due.sequence(begins, q.position, q.row)
			begins++
		}
	}
	if begins > 0 {
		due.pass(1, begins)
		r, err := b.begin(begins)
		if err != nil {
			return err
		}
		b.submit = append(b.submit, r)
	}
	step, err := b.step(len(b.active))
	if err != nil {
		return err
	}
	b.submit = append(b.submit, step.step.At(b.positions()...))
	if step.choose != nil {
		b.submit = append(b.submit, step.choose)
	}
	if b.pending, err = graph.Submit(b.submit...); err != nil {
		return b.fail(err)
	}
	b.choice, b.fetched, b.fed = step, step.fetch == nil, append(b.fed[:0], b.active...)
	for _, q := range b.active {
		q.position++
		q.chosen, q.recent, q.sum = false, remembered(q.recent, q.Token), q.sum.Then(q.Token)
	}
	return nil
}

// positions are those of the sequences by row of the state; 0 where there is none.
func (b *batch) positions() []int64 {
	b.at = append(b.at[:0], make([]int64, b.layout.sequences)...)
	for _, q := range b.active {
		b.at[q.row] = q.position
	}
	return b.at
}

// spans are where programs of the batch find everything, their parameters in one of the blocks.
func (b *batch) spans(block int) graph.Spans {
	own := map[string]vk.Span{}
	if b.buffer != nil {
		own[stateSlot] = b.buffer.Whole()
	}
	for row, g := range b.grown {
		g.slots(own, row)
	}
	slots := b.link.slots(own)
	pickParams(slots, block)
	return graph.Spans{Arena: b.arena.Whole(), Slots: slots}
}

// closeRecordings gives back what is bound to the batch's memory. Their programs stay.
func (b *batch) closeRecordings() {
	closing := func(all ...**graph.Recording) {
		for _, r := range all {
			if *r != nil {
				(*r).Close()
				*r = nil
			}
		}
	}
	for _, s := range b.steps {
		closing(&s.step, &s.choose, &s.fetch)
	}
	for _, one := range b.begins {
		closing(&one.begin)
	}
}
