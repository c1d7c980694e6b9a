package engine

import (
	"fmt"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/vk"
)

// mostRows is how many rows of logits are computed in one go when all are asked for.
const mostRows = 64

// chooseFrom is the vocabulary from which on choosing on the device is quicker than reading all logits.
const chooseFrom = 1024

// programs are a model's recorded graphs.
type programs struct {
	*link
	chunkTokens int // tokens of a prompt that run in one pass, at the most
	passTokens  int // for how many the passes of a prompt are planned
	rowsBlock   int // rows of logits computed in one go

	step   *graph.Program // one token, up to its logits
	passes []*promptPass  // some tokens of a prompt, up to the last layer; the shortest first
	head   *graph.Program // logits of a pass's last token
	rows   *graph.Program // logits of up to rowsBlock tokens of a pass
	score  *graph.Program // what they say of the tokens after; nil until it is asked for
	choose *graph.Program // the highest logits of the last token; nil when all are as quickly read
	fetch  *graph.Program // brings all of them to the host; nil when they are there

	begin   *graph.Program // what is due at a window's first token; nil for a network without windows
	restore *graph.Program // makes the derived parts of a state; nil for a network without windows

	stages *stages // of prompts of which layers drop tokens; nil until they are asked for

	recorded map[recordKey]*graph.Recording // of programs that touch no state
}

// A promptPass is the program for some tokens of a prompt, built when there are so few for the first time. A
// program starts workgroups for as many tokens as it is built for, and those that find no token are not
// free: on a software device a prompt of four tokens takes half its time with them.
type promptPass struct {
	tokens  int
	program *graph.Program
}

// shortTokens are the tokens of passes shorter than the longest.
var shortTokens = []int{16, 128}

type recordKey struct {
	program *graph.Program
	block   int
}

// newPrograms plans the programs that every model needs and makes the buffers that they share.
func newPrograms(m *Model, chunk int, unified bool) (*programs, error) {
	p := sizedPrograms(m, chunk, unified)
	if !p.rowsFit(m.sizes) {
		return nil, fmt.Errorf("vocab_size %d: the logits of a few tokens do not fit a binding of the device", m.sizes.Vocab)
	}
	err := p.allocate(m.sizes)
	if err == nil {
		err = p.plan(m)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// sizedPrograms says for how many tokens programs are to be made.
func sizedPrograms(m *Model, chunk int, unified bool) *programs {
	p := &programs{
		link: newLink(m.device, unified), chunkTokens: chunk, passTokens: chunk,
		rowsBlock: ops.LogitRows(m.device.Info().Limits, m.sizes.Vocab, mostRows), recorded: map[recordKey]*graph.Recording{},
	}
	if bounded, ok := m.config.(Bounded); ok {
		p.passTokens = bounded.PassTokens(chunk)
	}
	for _, tokens := range shortTokens {
		if tokens < p.passTokens {
			p.passes = append(p.passes, &promptPass{tokens: tokens})
		}
	}
	p.passes = append(p.passes, &promptPass{tokens: p.passTokens})
	return p
}

// rowsFit says whether a block of rows of logits fits a binding, and begins in the residual where it can be bound.
func (p *programs) rowsFit(s Sizes) bool {
	bytes := 4 * int64(p.rowsBlock) * int64(ops.Padded(s.Hidden))
	return p.rowsBlock > 0 && bytes == graph.Align(bytes)
}

// allocate makes the buffers behind the slots.
func (p *programs) allocate(s Sizes) error {
	tokens := p.residualRows()
	for name, bytes := range map[string]int64{
		ops.ParamsSlot: ops.ParamsBytes,
		idsSlot:        4 * int64(tokens),
		logitsSlot:     4 * int64(p.rowsBlock) * int64(ops.Padded(s.Vocab)),
		choicesSlot:    8 * ops.MaxTop,
	} {
		if err := p.shared(name, bytes); err != nil {
			return err
		}
	}
	return p.buffer(residualSlot, 4*int64(tokens)*int64(ops.Padded(s.Hidden)), vk.DeviceLocal)
}

// residualRows is how many rows the residual has: whole blocks of those whose logits are computed in
// one go.
func (p *programs) residualRows() int {
	return (p.chunkTokens + p.rowsBlock - 1) / p.rowsBlock * p.rowsBlock
}

// plan makes the programs that every model needs.
func (p *programs) plan(m *Model) (err error) {
	one := func(tokens int, build func(*Pass)) (program *graph.Program) {
		if err == nil {
			program, err = m.plan(m.layout, tokens, build)
		}
		return program
	}
	p.step = one(1, p.link.buildStep)
	p.passes[len(p.passes)-1].program = one(p.passTokens, p.buildPrompt)
	p.head = one(p.chunkTokens, p.buildHead)
	p.rows = one(p.rowsBlock, p.buildRows)
	if windowed, ok := m.network.(Windowed); ok {
		p.begin = one(1, p.link.buildBegin)
		p.restore = one(1, func(pass *Pass) { p.copyParams(pass.Graph); windowed.Restore(pass) })
	}
	if m.chooses() {
		p.choose = one(1, func(pass *Pass) { p.link.buildChoose(pass, m.sizes.Vocab) })
	}
	if !p.unified {
		p.fetch = one(1, p.link.buildFetch)
	}
	return err
}

// chooses says whether the device finds the likeliest tokens.
func (m *Model) chooses() bool {
	return m.sizes.Vocab >= chooseFrom && m.sizes.Vocab <= ops.MaxTopVocab && ops.TopKFits(graph.New(m.device))
}

// plan makes one program of a pass of at most the given number of tokens over states of a layout. It is the one way
// in which passes are built.
func (m *Model) plan(l *layout, tokens int, build func(*Pass)) (*graph.Program, error) {
	p := &Pass{Graph: graph.New(m.device), network: m.network, layers: m.sizes.Layers, layout: l, Tokens: tokens}
	build(p)
	return p.Plan()
}

// buildStep is one token of each sequence up to its logits.
func (k *link) buildStep(p *Pass) {
	p.Single = true
	k.copyParams(p.Graph)
	ends := p.network.Ends()
	r := ops.Embed(p.Graph, k.copyIn(p.Graph, idsSlot, p.Tokens, 1), ends.Embeddings)
	p.blocks(r)
	ops.LinearInto(p.Graph, "head", p.logits(), r, ends.Norm, ends.Head, ops.Finish{Alone: true})
}

// buildBegin is what is due in sequences whose windows begin.
func (k *link) buildBegin(p *Pass) {
	p.Single = true
	k.copyParams(p.Graph)
	p.network.(Windowed).Begin(p)
}

// buildPrompt is some tokens of a prompt up to the last layer.
func (p *programs) buildPrompt(pass *Pass) {
	if windowed, ok := pass.network.(Windowed); ok {
		_, pass.Across = windowed.Window()
	}
	p.buildTokens(pass)
}

// buildTokens is some tokens, of one window unless the pass goes across, up to the last layer.
func (p *programs) buildTokens(pass *Pass) {
	p.copyParams(pass.Graph)
	r := pass.residual()
	ops.EmbedInto(pass.Graph, r, p.copyIn(pass.Graph, idsSlot, pass.Tokens, 1), pass.network.Ends().Embeddings)
	pass.blocks(r)
}

func (p *programs) buildHead(pass *Pass) {
	p.copyParams(pass.Graph)
	ends := pass.network.Ends()
	r := ops.NormalizeLast(pass.Graph, pass.residual(), ends.Norm, 1)
	pass.Tokens = 1
	ops.LinearInto(pass.Graph, "head", pass.logits(), r, ops.Norm{}, ends.Head, ops.Finish{})
}

func (p *programs) buildRows(pass *Pass) {
	p.copyOut(pass.Graph, logitsSlot, p.allLogits(pass))
}

// allLogits are those of every token of a block.
func (p *programs) allLogits(pass *Pass) graph.Value {
	p.copyParams(pass.Graph)
	ends, y := pass.network.Ends(), pass.logits()
	ops.LinearInto(pass.Graph, "head", y, pass.residual(), ends.Norm, ends.Head, ops.Finish{})
	return y
}

func (k *link) buildChoose(p *Pass, vocab int) {
	k.copyParams(p.Graph)
	top := p.Slot(choicesSlot, 0, p.Tokens, 2*ops.MaxTop)
	ops.TopK(p.Graph, top, p.logits(), vocab)
	k.copyOut(p.Graph, choicesSlot, top)
}

func (k *link) buildFetch(p *Pass) { k.copyOut(p.Graph, logitsSlot, p.logits()) }

// residual and logits are the slots' rows of the pass's tokens.
func (p *Pass) residual() graph.Value {
	return p.Slot(residualSlot, 0, p.Tokens, p.network.Ends().Embeddings.Cols)
}

func (p *Pass) logits() graph.Value {
	return p.Slot(logitsSlot, 0, p.Tokens, p.network.Ends().Head.Rows)
}

// prompt returns the shortest program for a pass of the given number of tokens, or as many of them as one takes.
func (m *Model) prompt(tokens int) (*graph.Program, error) {
	all := m.programs.passes
	for _, one := range all {
		if tokens > one.tokens && one != all[len(all)-1] {
			continue
		}
		if one.program != nil {
			return one.program, nil
		}
		var err error
		if one.program, err = m.plan(m.layout, one.tokens, m.programs.buildPrompt); err != nil {
			return nil, err
		}
		if one.program.Arena() > m.arena.Size() {
			return nil, fmt.Errorf("a pass of %d tokens needs %d bytes of arena, a chunk has %d", one.tokens, one.program.Arena(), m.arena.Size())
		}
		return one.program, nil
	}
	return nil, fmt.Errorf("there is no pass of %d tokens", tokens)
}

// arena is how many bytes of arena the largest program needs.
func (p *programs) arena() int64 {
	most := int64(256)
	for _, one := range []*graph.Program{p.passes[len(p.passes)-1].program, p.step, p.head, p.rows, p.begin, p.restore, p.choose} {
		if one != nil {
			most = max(most, one.Arena())
		}
	}
	return most
}

// unbound returns the recording of a program that touches no state, its residual taken from a block
// of rows on.
func (p *programs) unbound(program *graph.Program, arena vk.Span, block int) (*graph.Recording, error) {
	key := recordKey{program, block}
	if r, ok := p.recorded[key]; ok {
		return r, nil
	}
	residual := p.spans[residualSlot]
	from := residual.Size / int64(p.residualRows()) * int64(block*p.rowsBlock)
	slots := p.slots(map[string]vk.Span{residualSlot: residual.Buffer.Span(from, residual.Size-from)})
	r, err := program.Record(graph.Spans{Arena: arena, Slots: slots})
	if err != nil {
		return nil, err
	}
	p.recorded[key] = r
	return r, nil
}

// close frees the recordings and buffers. No program may be running.
func (p *programs) close() {
	for _, r := range p.recorded {
		r.Close()
	}
	p.recorded = nil
	p.stages.close()
	p.link.close()
}
