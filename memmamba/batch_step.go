package memmamba

import (
	"encoding/binary"
	"fmt"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/vk"
)

// paramsBlock is how far the parameters of programs that run in one submission lie apart: first those
// of the step, then those of each row's beginning of a window.
const paramsBlock = (ops.ParamsBytes + 255) / 256 * 256

// A batchStep feeds a token to each of up to so many sequences and finds the highest logits.
type batchStep struct {
	rows   int
	step   *graph.Recording
	choose *graph.Recording // nil when all logits are as quickly read
	fetch  *graph.Recording // brings them to the host; nil when they are there
}

// stepRows is for how many sequences the step of so many is made: those that are not there cost little,
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
func (b *Batch) allocate(n int) (err error) {
	m, p := b.model, b.programs
	for _, s := range []struct {
		name  string
		bytes int64
	}{
		{ops.ParamsSlot, int64(n+1) * paramsBlock},
		{idsSlot, 4 * int64(n)},
		{logitsSlot, 4 * int64(n) * int64(m.weights.Head.Rows)},
		{choicesSlot, 8 * ops.MaxTop * int64(n)},
	} {
		if err := p.slot(s.name, s.bytes, true); err != nil {
			return err
		}
	}
	if b.buffer, err = m.device.NewBuffer(p.layout.bytes, vk.DeviceLocal); err != nil {
		return fmt.Errorf("states: %w", err)
	}
	programs, err := b.plan(n)
	if err != nil {
		return err
	}
	bytes := int64(256)
	for _, one := range append(programs, m.programs.begin) {
		if one != nil {
			bytes = max(bytes, one.Arena())
		}
	}
	if b.arena, err = m.device.NewBuffer(bytes, vk.DeviceLocal); err != nil {
		return fmt.Errorf("activations: %w", err)
	}
	_, err = b.record(n, programs)
	return err
}

// plan makes the programs of a step of rows: the step, the choice and the fetch, nil where there is none.
func (b *Batch) plan(rows int) ([]*graph.Program, error) {
	p, programs := b.programs, make([]*graph.Program, 3)
	builds := []build{{&programs[0], rows, p.buildStep}}
	if b.model.programs.choose != nil {
		builds = append(builds, build{&programs[1], rows, p.buildChoose})
	}
	if !p.unified {
		builds = append(builds, build{&programs[2], rows, p.buildFetch})
	}
	for _, one := range builds {
		if err := p.plan(b.model, one); err != nil {
			return nil, err
		}
	}
	return programs, nil
}

// record binds the programs of a step.
func (b *Batch) record(rows int, programs []*graph.Program) (s *batchStep, err error) {
	s = &batchStep{rows: rows}
	b.steps = append(b.steps, s)
	for i, into := range []**graph.Recording{&s.step, &s.choose, &s.fetch} {
		if programs[i] == nil {
			continue
		}
		if *into, err = programs[i].Record(b.spans(0)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// step returns the step for so many sequences.
func (b *Batch) step(sequences int) (*batchStep, error) {
	rows := stepRows(sequences, len(b.begins))
	for _, s := range b.steps {
		if s.rows == rows {
			return s, nil
		}
	}
	programs, err := b.plan(rows)
	if err != nil {
		return nil, err
	}
	return b.record(rows, programs)
}

// begin returns what happens in a row between two windows.
func (b *Batch) begin(row int) (*graph.Recording, error) {
	if b.begins[row] != nil {
		return b.begins[row], nil
	}
	p := b.programs
	var program *graph.Program
	err := p.plan(b.model, build{&program, 1, func(g *pass) {
		g.state = p.layout.of(row)
		p.copyParams(g.Graph)
		g.beginWindow()
	}})
	if err == nil {
		b.begins[row], err = program.Record(b.spans(1 + row))
	}
	return b.begins[row], err
}

// feed starts the step that feeds every sequence its token, with what is due before it, in one go.
func (b *Batch) feed() error {
	if len(b.active) == 0 {
		return nil
	}
	step, err := b.step(len(b.active))
	if err != nil {
		return err
	}
	b.submit = b.submit[:0]
	mapped := b.programs.spans[ops.ParamsSlot+hostSide].Buffer.Mapped()
	ids, all := b.programs.spans[idsSlot+hostSide].Buffer.Mapped(), params(mapped)
	all.pass(1, len(b.active))
	for i, q := range b.active {
		if q.position >= maxPosition {
			return fmt.Errorf("a sequence of %d tokens is longer than %d", q.position+1, int64(maxPosition))
		}
		binary.LittleEndian.PutUint32(ids[4*i:], uint32(q.Token))
		all.sequence(i, q.position, q.row)
		if memory := b.model.config.Memory; memory != nil && q.position > 0 && q.position%int64(memory.Window) == 0 {
			own := params(mapped[paramsBlock*(1+q.row):])
			own.pass(1, 1)
			own.sequence(0, q.position, q.row)
			begin, err := b.begin(q.row)
			if err != nil {
				return err
			}
			b.submit = append(b.submit, begin)
		}
	}
	b.submit = append(b.submit, step.step)
	if step.choose != nil {
		b.submit = append(b.submit, step.choose)
	}
	if b.pending, err = graph.Submit(b.submit...); err != nil {
		return err
	}
	b.choice, b.fed = step, append(b.fed[:0], b.active...)
	for _, q := range b.active {
		q.position++
		q.recent = remembered(q.recent, q.Token)
	}
	return nil
}

// Close frees the recordings.
func (s *batchStep) Close() {
	for _, r := range []*graph.Recording{s.step, s.choose, s.fetch} {
		if r != nil {
			r.Close()
		}
	}
}
