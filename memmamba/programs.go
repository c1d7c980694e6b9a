package memmamba

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/vk"
)

// The slots programs share beside a state and the parameters of a pass. On a device with memory of
// its own the host's side of a slot is another buffer, copied to or from at the program's ends.
const (
	idsSlot      = "ids"      // of the pass's tokens
	residualSlot = "residual" // the stream after the last layer, one row a token of the chunk
	logitsSlot   = "logits"
	choicesSlot  = "choices" // of the next token: ids, then their logits
	hostSide     = ".host"
)

const rowsBlock = 64 // rows of logits computed in one go when all are asked for

// chooseFrom is the vocabulary from which on choosing on the device is quicker than reading all logits.
const chooseFrom = 1024

// programs are a model's recorded graphs and the buffers through which the host talks to them.
type programs struct {
	layout      *stateLayout
	chunkTokens int

	chunk *graph.Program // a prompt chunk, up to the last layer
	short []*shortPass   // the same for fewer tokens
	step  *graph.Program // one token, up to its logits
	head  *graph.Program // logits of a chunk's last token
	rows  *graph.Program // logits of up to rowsBlock tokens of a chunk
	score *graph.Program // what they say of the tokens after; nil until it is asked for
	taps  *taps          // a chunk that can be looked into; nil until it is asked for

	choose *graph.Program // the highest logits of the last token; nil when all are as quickly read
	fetch  *graph.Program // brings all of them to the host; nil when they are there

	begin   *graph.Program // what MemMamba does at a window's first token; nil for Mamba
	project *graph.Program // the part of it that a restored state needs; nil for Mamba

	device   *vk.Device
	unified  bool // the device works in the host's memory
	spans    map[string]vk.Span
	buffers  []*vk.Buffer
	recorded map[recordKey]*graph.Recording // of programs that touch no state
}

type recordKey struct {
	program *graph.Program
	block   int
}

func newPrograms(m *Model, chunk int, unified bool) (*programs, error) {
	p := &programs{
		layout: newStateLayout(m.config, 1), chunkTokens: chunk, device: m.device, unified: unified,
		spans: map[string]vk.Span{}, recorded: map[recordKey]*graph.Recording{}, short: shortPasses(),
	}
	err := p.allocate(m.config, p.residualRows())
	for _, one := range p.builds(m.config) {
		if err != nil {
			break
		}
		err = p.plan(m, one)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// plan makes one program.
func (p *programs) plan(m *Model, one build) (err error) {
	g := &pass{Graph: graph.New(m.device), c: m.config, w: m.weights, state: p.layout, tokens: one.tokens}
	one.build(g)
	*one.into, err = g.Plan()
	return err
}

// A build makes one program: for how many tokens at the most, and how.
type build struct {
	into   **graph.Program
	tokens int
	build  func(*pass)
}

func (p *programs) builds(c Config) []build {
	all := []build{
		{&p.step, 1, p.buildStep},
		{&p.chunk, p.passTokens(c), p.buildChunk},
		{&p.head, p.chunkTokens, p.buildHead},
		{&p.rows, rowsBlock, p.buildRows},
	}
	if c.Memory != nil {
		all = append(all,
			build{&p.begin, 1, func(g *pass) { p.copyParams(g.Graph); g.beginWindow() }},
			build{&p.project, 1, (*pass).projectKeys})
	}
	if c.VocabSize >= chooseFrom && c.VocabSize <= ops.MaxTopVocab {
		all = append(all, build{&p.choose, 1, p.buildChoose})
	}
	if !p.unified {
		all = append(all, build{&p.fetch, 1, p.buildFetch})
	}
	return all
}

// passTokens is how many tokens one pass may have.
func (p *programs) passTokens(c Config) int {
	switch {
	case c.Memory != nil:
		return p.layout.memory.passTokens(p.chunkTokens, c.Memory)
	case c.Transformer != nil:
		return c.passTokens(p.chunkTokens)
	}
	return p.chunkTokens
}

// residualRows is how many rows the residual has: whole blocks of those whose logits are computed in
// one go.
func (p *programs) residualRows() int { return (p.chunkTokens + rowsBlock - 1) / rowsBlock * rowsBlock }

// allocate makes the buffers behind the slots.
func (p *programs) allocate(c Config, tokens int) error {
	vocab, d := ops.Padded(c.VocabSize), ops.Padded(c.HiddenSize)
	for _, s := range []struct {
		name  string
		bytes int64
		host  bool
	}{
		{ops.ParamsSlot, ops.ParamsBytes, true},
		{idsSlot, 4 * int64(tokens), true},
		{residualSlot, 4 * int64(tokens) * int64(d), false},
		{logitsSlot, 4 * int64(min(tokens, rowsBlock)) * int64(vocab), true},
		{choicesSlot, 8 * ops.MaxTop, true},
	} {
		if err := p.slot(s.name, s.bytes, s.host); err != nil {
			return err
		}
	}
	return nil
}

// slot makes the buffer behind a slot, with host one that the host sees, and another where the device
// works in a memory of its own.
func (p *programs) slot(name string, bytes int64, host bool) error {
	if host {
		if err := p.buffer(name+hostSide, bytes, vk.HostVisible); err != nil {
			return err
		}
	}
	if host && p.unified {
		p.spans[name] = p.spans[name+hostSide]
		return nil
	}
	return p.buffer(name, bytes, vk.DeviceLocal)
}

func (p *programs) buffer(name string, bytes int64, where vk.Memory) error {
	b, err := p.device.NewBuffer(bytes, where)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	p.buffers = append(p.buffers, b)
	p.spans[name] = b.Whole()
	return nil
}

// copyIn brings a slot from the host's side, where that is another memory.
func (p *programs) copyIn(g *graph.Graph, name string, rows, cols int) graph.Value {
	v := g.Slot(name, 0, rows, cols)
	if !p.unified {
		g.Copy(v, g.Slot(name+hostSide, 0, rows, cols))
	}
	return v
}

func (p *programs) copyParams(g *graph.Graph) {
	p.copyIn(g, ops.ParamsSlot, 1, ops.ParamsBytes/4)
}

func (p *programs) copyOut(g *graph.Graph, name string, v graph.Value) {
	if !p.unified {
		g.Copy(g.Slot(name+hostSide, 0, v.Rows, v.Cols), v)
	}
}

func (p *programs) buildStep(g *pass) {
	g.single = true
	p.copyParams(g.Graph)
	r := ops.Embed(g.Graph, p.copyIn(g.Graph, idsSlot, g.tokens, 1), g.w.Embeddings)
	g.blocks(r)
	p.logits(g, r, g.w.NormF)
}

func (p *programs) buildChunk(g *pass) {
	p.copyParams(g.Graph)
	r := g.Slot(residualSlot, 0, g.tokens, g.w.Embeddings.Cols)
	ops.EmbedInto(g.Graph, r, p.copyIn(g.Graph, idsSlot, g.tokens, 1), g.w.Embeddings)
	if p.layout.memory == nil || g.c.Memory.reads() == readsByState {
		g.blocks(r)
		return
	}
	g.log = g.openLog(g.tokens)
	g.blocks(r)
	g.log.commit(g)
	g.projectKeys()
}

func (p *programs) buildHead(g *pass) {
	p.copyParams(g.Graph)
	r := g.Slot(residualSlot, 0, g.tokens, g.w.Embeddings.Cols)
	p.logits(g, ops.NormalizeLast(g.Graph, r, g.w.NormF, 1), ops.Norm{})
}

func (p *programs) buildRows(g *pass) {
	p.copyParams(g.Graph)
	p.copyOut(g.Graph, logitsSlot, p.logits(g, g.Slot(residualSlot, 0, g.tokens, g.w.Embeddings.Cols), g.w.NormF))
}

// logits multiplies the normalized stream with the head.
func (p *programs) logits(g *pass, r graph.Value, norm ops.Norm) graph.Value {
	y := g.Slot(logitsSlot, 0, r.Rows, g.w.Head.Rows)
	ops.LinearInto(g.Graph, "head", y, r, norm, g.w.Head, ops.Finish{Alone: g.single})
	return y
}

func (p *programs) buildChoose(g *pass) {
	p.copyParams(g.Graph)
	top := g.Slot(choicesSlot, 0, g.tokens, 2*ops.MaxTop)
	ops.TopK(g.Graph, top, g.Slot(logitsSlot, 0, g.tokens, g.w.Head.Rows), g.c.VocabSize)
	p.copyOut(g.Graph, choicesSlot, top)
}

func (p *programs) buildFetch(g *pass) {
	p.copyOut(g.Graph, logitsSlot, g.Slot(logitsSlot, 0, g.tokens, g.w.Head.Rows))
}

// arena is how many bytes of arena the largest program needs.
func (p *programs) arena() int64 {
	var most int64
	for _, one := range []*graph.Program{p.chunk, p.step, p.head, p.rows, p.begin, p.project, p.choose} {
		if one != nil {
			most = max(most, one.Arena())
		}
	}
	return most
}

func (p *programs) ioBytes() int64 {
	var total int64
	for _, b := range p.buffers {
		total += b.Size()
	}
	return total
}

// setParams fills in what changes from pass to pass. No program may be running.
func (p *programs) setParams(tokens int, position int64) {
	one := params(p.spans[ops.ParamsSlot+hostSide].Buffer.Mapped())
	one.pass(tokens, 1)
	one.sequence(0, position, 0)
}

// params are the parameters of a pass as the host writes them.
type params []byte

func (b params) put(i int, v uint32) { binary.LittleEndian.PutUint32(b[4*i:], v) }

// pass is of so many tokens of each of so many sequences.
func (b params) pass(tokens, sequences int) {
	for i, v := range [4]uint32{uint32(tokens), uint32(sequences)} {
		b.put(i, v)
	}
}

// sequence i is at a position and has a row of the state.
func (b params) sequence(i int, position int64, row int) {
	b.put(4+i, uint32(position))
	b.put(4+ops.MaxSequences+i, uint32(row))
}

func (p *programs) setIDs(ids []int32) {
	b := p.spans[idsSlot+hostSide].Buffer.Mapped()
	for i, id := range ids {
		binary.LittleEndian.PutUint32(b[4*i:], uint32(id))
	}
}

// shared returns the recording of a program that touches no state, its residual taken from a block
// of rows on.
func (p *programs) shared(program *graph.Program, arena vk.Span, block int) (*graph.Recording, error) {
	key := recordKey{program, block}
	if r, ok := p.recorded[key]; ok {
		return r, nil
	}
	slots := make(map[string]vk.Span, len(p.spans))
	for name, span := range p.spans {
		slots[name] = span
	}
	residual := slots[residualSlot]
	from := residual.Size / int64(p.residualRows()) * int64(block*rowsBlock)
	slots[residualSlot] = residual.Buffer.Span(from, residual.Size-from)
	r, err := program.Record(graph.Spans{Arena: arena, Slots: slots})
	if err != nil {
		return nil, err
	}
	p.recorded[key] = r
	return r, nil
}

// Close frees the recordings and buffers. No program may be running.
func (p *programs) Close() {
	for _, r := range p.recorded {
		r.Close()
	}
	for _, b := range p.buffers {
		b.Close()
	}
	p.recorded, p.buffers = nil, nil
}

var errNoTokens = errors.New("no tokens given")
