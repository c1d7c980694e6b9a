package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/sample"
	"github.com/mmrun/mmrun/vk"
)

// lanes are what reads prompts beside running sequences. A pass goes to the device in slices, between which
// others run: it needs an arena that no other program uses, and each prompt its own parameters, so that the
// pass of a prompt can be submitted behind that of another.
type lanes struct {
	model  *Model
	arena  *vk.Buffer
	common *link // the residual, since a pass and what reads it follow one another, and logits of prompts that are scored
	all    []*lane
	free   []*lane
	room   []sample.Choice
}

// pieceOfPass is how long a slow device may take for what is read between two steps at the least.
var pieceOfPass = 20 * time.Millisecond

func (m *Model) newLanes() (*lanes, error) {
	s := &lanes{model: m, common: newLink(m.device, m.programs.unified), room: make([]sample.Choice, ops.MaxTop)}
	err := s.common.buffer(residualSlot, m.programs.spans[residualSlot].Size, vk.DeviceLocal)
	if err == nil {
		s.arena, err = m.device.NewBuffer(m.arena.Size(), vk.DeviceLocal)
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("activations of prompts: %w", err)
	}
	return s, nil
}

// take returns a lane that nobody uses.
func (s *lanes) take() (*lane, error) {
	if n := len(s.free); n > 0 {
		l := s.free[n-1]
		s.free = s.free[:n-1]
		return l, nil
	}
	l, err := s.newLane()
	if err != nil {
		return nil, err
	}
	s.all = append(s.all, l)
	return l, nil
}

// give takes a lane back. Nothing of it is under way.
func (s *lanes) give(l *lane) {
	l.tokens = nil
	s.free = append(s.free, l)
}

func (s *lanes) close() {
	for _, l := range s.all {
		l.close()
	}
	s.all, s.free = nil, nil
	s.common.close()
	if s.arena != nil {
		s.arena.Close()
	}
}

// bytes is the device memory that the lanes take, with their states.
func (s *lanes) bytes() int64 {
	total := s.arena.Size() + s.common.bytes()
	for _, l := range s.all {
		total += l.link.bytes() + l.state.Bytes()
	}
	return total
}

// A lane reads one prompt after another into its state.
type lane struct {
	*lanes
	link  *link
	state *State
	loose map[recordKey]*graph.Recording // of programs that touch no state

	tokens []int32 // that are read, with one that was generated and not fed before
	done   int     // of them
	pass   Passed  // that is under way or was last
	choose bool    // the pass ends with the choice of the next token
	step   bool    // there is but a token that was generated, which runs as any other of those
}

func (s *lanes) newLane() (*lane, error) {
	m := s.model
	l := &lane{lanes: s, link: newLink(m.device, m.programs.unified), loose: map[recordKey]*graph.Recording{}}
	var err error
	if l.state, err = m.newState(); err != nil {
		return nil, err
	}
	l.state.lane = l
	for name, bytes := range map[string]int64{
		ops.ParamsSlot: 2 * paramsBlock, // of the pass, then of what is due before it
		idsSlot:        4 * int64(m.programs.residualRows()),
		logitsSlot:     4 * int64(ops.Padded(m.sizes.Vocab)),
		choicesSlot:    8 * ops.MaxTop,
	} {
		if err = l.link.shared(name, bytes); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

func (l *lane) close() {
	for _, r := range l.loose {
		r.Close()
	}
	l.state.close()
	l.link.close()
}

// spans are where programs of the lane find everything, the residual from a block of rows on, their parameters in
// one of two blocks.
func (l *lane) spans(params, block int) graph.Spans {
	p, residual := l.model.programs, l.common.spans[residualSlot]
	from := residual.Size / int64(p.residualRows()) * int64(block*p.rowsBlock)
	own := map[string]vk.Span{residualSlot: residual.Buffer.Span(from, residual.Size-from)}
	l.state.ownSpans(own)
	slots := l.link.slots(own)
	pickParams(slots, params)
	return graph.Spans{Arena: l.arena.Whole(), Slots: slots}
}

// bound returns the recording of a program that touches the state.
func (l *lane) bound(program *graph.Program) (r *graph.Recording, err error) {
	if r, ok := l.state.recorded[program]; ok {
		return r, nil
	}
	params := 0
	if program == l.model.programs.begin {
		params = 1
	}
	if r, err = program.RecordFine(l.spans(params, 0), pieceOfPass); err == nil {
		l.state.recorded[program] = r
	}
	return r, err
}

// unbound returns the recording of a program that touches no state.
func (l *lane) unbound(program *graph.Program) (r *graph.Recording, err error) {
	return l.keep(recordKey{program, 0}, func() graph.Spans { return l.spans(0, 0) })
}

// keep returns a recording that is kept, made with what spans returns when it is not there.
func (l *lane) keep(key recordKey, spans func() graph.Spans) (r *graph.Recording, err error) {
	if r, ok := l.loose[key]; ok {
		return r, nil
	}
	if r, err = key.program.RecordFine(spans(), pieceOfPass); err == nil {
		l.loose[key] = r
	}
	return r, err
}

// begin makes the lane's state what a request goes on from, or that of an empty sequence, before its prompt.
func (l *lane) begin(r *Request, saved *savedState) error {
	s := l.state
	l.done, l.tokens, l.step = 0, r.Prompt, false
	s.failed = nil
	switch {
	case saved != nil:
		if err := l.restore(saved); err != nil {
			return err
		}
	case r.From != nil:
		if err := l.copyOf(r.From); err != nil {
			return err
		}
	default:
		return s.reset()
	}
	l.tokens, l.step = append(slices.Clone(s.next), r.Prompt...), len(r.Prompt) == 0
	s.next = s.next[:0]
	return nil
}

// copyOf makes the lane's state a copy of another, which may be a twin's.
func (l *lane) copyOf(from *State) error {
	if from.model == l.model {
		if err := l.model.ready(from); err != nil {
			return err
		}
		return l.state.copyOf(from)
	}
	data, err := from.MarshalBinary()
	if err != nil {
		return err
	}
	saved, err := l.model.decodeSaved(data)
	if err != nil {
		return err
	}
	return l.restore(saved)
}

// restore makes the lane's state a saved one.
func (l *lane) restore(saved *savedState) error {
	l.model.settle()                        // restoring goes through the model's own programs
	if err := l.state.reset(); err != nil { // of what is not saved
		return err
	}
	return l.state.restore(saved)
}

// next makes ready the next pass of tokens, of those before end and so many at the most unless that is 0, which ends with the logits of the last of them and,
// with choose, of what is likeliest after it.
func (l *lane) next(end, most int, choose bool) (*graph.Slices, error) {
	m, s, p := l.model, l.state, l.model.programs
	n := m.passTokens(s.position, end-l.done, most)
	l.pass = Passed{First: l.done, Tokens: n, Step: l.step, Last: l.done+n == end}
	programs := []*graph.Program{nil, p.step, nil, nil}
	if m.begins(s.position) {
		programs[0] = p.begin
	}
	if !l.step {
		var err error
		if programs[1], err = m.prompt(n); err != nil {
			return nil, err
		}
		if l.pass.Last {
			programs[2] = p.head
		}
	}
	l.choose = choose && l.pass.Last && p.choose != nil
	if l.choose {
		programs[3] = p.choose
	}
	if err := s.reserve(s.position + int64(n)); err != nil {
		return nil, err
	}
	l.link.setParams(n, s.position)
	l.link.params(1).pass(1, 1)
	l.link.params(1).sequence(0, s.position, 0)
	l.link.setIDs(l.tokens[l.done : l.done+n])
	return l.slices(programs)
}

// slices are programs of a pass: before it, the pass itself, and two after it.
func (l *lane) slices(programs []*graph.Program) (*graph.Slices, error) {
	var rs []*graph.Recording
	for i, program := range programs {
		if program == nil {
			continue
		}
		find := l.bound
		if i > 1 {
			find = l.unbound
		}
		r, err := find(program)
		if err != nil {
			return nil, err
		}
		rs = append(rs, r.At(l.state.position))
	}
	return graph.Slice(rs...), nil
}

// passed takes in that the pass has run.
func (l *lane) passed() {
	l.state.position += int64(l.pass.Tokens)
	l.state.remember(l.tokens[l.done : l.done+l.pass.Tokens])
	l.done += l.pass.Tokens
	l.state.logits = l.state.logits[:0]
}

// fetchLogits brings the logits of the last pass's last token to the state, unless they are there.
func (l *lane) fetchLogits() error {
	s := l.state
	if len(s.logits) > 0 {
		return nil
	}
	if fetch := l.model.programs.fetch; fetch != nil {
		r, err := l.unbound(fetch)
		if err == nil {
			err = r.Run()
		}
		if err != nil {
			return s.fail(err)
		}
	}
	s.logits = append(s.logits[:0], make([]float32, l.model.sizes.Vocab)...)
	return l.link.readLogits(s.logits, 0)
}

// chosen is the token after those that were read. It reads all logits only when the highest do not decide.
func (l *lane) chosen(sampler *sample.Sampler) (token int32, err error) {
	s := l.state
	sampler.SetPosition(s.position)
	if l.choose {
		if id, ok := sampler.SampleTop(l.link.choices(l.room, 0), s.recent); ok {
			return id, nil
		}
	}
	if err := l.fetchLogits(); err != nil {
		return 0, err
	}
	return sampler.Sample(s.logits, s.recent)
}

// rows makes ready the logits of a block of the last pass's tokens.
func (l *lane) rows(block int) (*graph.Slices, error) {
	if _, ok := l.common.spans[logitsSlot]; !ok {
		if err := l.common.shared(logitsSlot, l.model.programs.spans[logitsSlot].Size); err != nil {
			return nil, err
		}
	}
	r, err := l.keep(recordKey{l.model.programs.rows, block}, func() graph.Spans {
		spans := l.spans(0, block)
		for _, name := range []string{logitsSlot, logitsSlot + hostSide} {
			if there, ok := l.common.spans[name]; ok {
				spans.Slots[name] = there
			}
		}
		return spans
	})
	if err != nil {
		return nil, err
	}
	l.link.setParams(l.inBlock(block), l.state.position)
	return graph.Slice(r), nil
}

// inBlock is how many of the last pass's tokens a block has.
func (l *lane) inBlock(block int) int {
	rows := l.model.programs.rowsBlock
	return min(rows, l.pass.Tokens-block*rows)
}

// scoreRows scores the tokens after those of a block, whose logits are made.
func (l *lane) scoreRows(j *job, block int) error {
	logits := make([]float32, l.model.sizes.Vocab)
	for i := range l.inBlock(block) {
		if err := l.common.readLogits(logits, i); err != nil {
			return err
		}
		j.score(logits, l.pass.First+block*l.model.programs.rowsBlock+i+1)
	}
	return nil
}
