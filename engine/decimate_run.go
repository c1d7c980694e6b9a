package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/vk"
)

// The slots through which tokens come from the host, and go back to it, between stages.
const (
	streamSlot = "stream" // rows of the residual stream
	keptSlot   = "kept"   // what Weigh keeps
	sizesSlot  = "sizes"
)

// stages are the programs that take a prompt through the network where layers drop tokens: one up to each of
// these, and one to the end. Between two all tokens are with the host, which moves those that stay.
type stages struct {
	layers   []int
	programs []*graph.Program
	width    int // numbers of a row that Weigh keeps
	arena    *vk.Buffer
}

func (t *stages) close() {
	if t != nil && t.arena != nil {
		t.arena.Close()
	}
}

// stages makes the programs for layers that drop tokens, unless they are there.
func (m *Model) stages(layers []int) (*stages, error) {
	p := m.programs
	if p.stages != nil && slices.Equal(p.stages.layers, layers) {
		return p.stages, nil
	}
	network, ok := m.network.(Decimating)
	if !ok {
		return nil, fmt.Errorf("layers of a %s drop no tokens", m.sizes.ModelType)
	}
	if err := network.Drops(); err != nil {
		return nil, err
	}
	t, arena := &stages{layers: slices.Clone(layers)}, int64(256)
	for i := range len(layers) + 1 {
		program, err := m.plan(m.layout, p.chunkTokens, func(pass *Pass) { p.buildStage(pass, network, t, i) })
		if err != nil {
			return nil, err
		}
		t.programs = append(t.programs, program)
		arena = max(arena, program.Arena())
	}
	var err error
	if t.arena, err = m.device.NewBuffer(arena, vk.DeviceLocal); err != nil {
		return nil, fmt.Errorf("activations: %w", err)
	}
	if err := p.stageSlots(m.sizes, t.width); err != nil {
		t.close()
		return nil, err
	}
	p.stages.close()
	p.stages = t
	return t, nil
}

// stageSlots makes the buffers behind the slots, once.
func (p *programs) stageSlots(s Sizes, width int) error {
	for name, numbers := range map[string]int{
		streamSlot: p.chunkTokens * ops.Padded(s.Hidden), keptSlot: p.chunkTokens * width, sizesSlot: ops.Padded(p.chunkTokens),
	} {
		if _, ok := p.spans[name]; ok {
			continue
		}
		if err := p.shared(name, 4*int64(numbers)); err != nil {
			return err
		}
	}
	return nil
}

// buildStage is the i-th stage.
func (p *programs) buildStage(pass *Pass, network Decimating, t *stages, i int) {
	r, from := pass.residual(), 0
	p.copyParams(pass.Graph)
	if i == 0 {
		ops.EmbedInto(pass.Graph, r, p.copyIn(pass.Graph, idsSlot, pass.Tokens, 1), network.Ends().Embeddings)
	} else {
		pass.Copy(r, p.copyIn(pass.Graph, streamSlot, r.Rows, r.Cols))
		network.Rest(pass, t.layers[i-1], r, p.copyIn(pass.Graph, keptSlot, pass.Tokens, t.width))
		from = t.layers[i-1] + 1
	}
	to := pass.layers
	if i < len(t.layers) {
		to = t.layers[i]
	}
	for l := from; l < to; l++ {
		network.Block(pass, l, r)
	}
	if i == len(t.layers) {
		return
	}
	kept, sizes := network.Weigh(pass, to, r)
	t.width = kept.Cols
	for name, v := range map[string]graph.Value{streamSlot: r, keptSlot: kept, sizesSlot: sizes} {
		out := pass.Slot(name, 0, v.Rows, v.Cols)
		pass.Copy(out, v)
		p.copyOut(pass.Graph, name, out)
	}
}

// decimated says who wants to know of the tokens that a decimation takes to the end.
type decimated struct {
	progress func(done, total int)               // may be nil: tokens of the prompt that the first layers have seen
	after    func(first, tokens, left int) error // may be nil: of a pass, of the given number of tokens that are left in all
}

// decimate feeds a prompt and leaves the head under way.
func (m *Model) decimate(ctx context.Context, s *State, tokens []int32, d Decimation, told decimated) ([]Kept, error) {
	if err := m.readyForText(s, tokens); err != nil {
		return nil, err
	}
	if s.position > 0 {
		return nil, fmt.Errorf("tokens are dropped of a whole prompt, and the sequence has %d already", s.position)
	}
	if err := d.Check(m.sizes.Layers); err != nil {
		return nil, err
	}
	t, err := m.stages(d.Layers)
	if err != nil {
		return nil, err
	}
	kept, err := m.throughStages(ctx, s, t, tokens, d, told)
	if err != nil {
		return nil, errors.Join(err, s.reset())
	}
	s.position = int64(len(tokens))
	s.remember(tokens)
	last := 1 + (len(kept[len(kept)-1].Positions)-1)%m.programs.chunkTokens
	return kept, m.startHead(s, last, false)
}

// throughStages takes a prompt to the last layer.
func (m *Model) throughStages(ctx context.Context, s *State, t *stages, tokens []int32, d Decimation, told decimated) (kept []Kept, err error) {
	in := &travellers{tokens: tokens, positions: make([]int32, len(tokens))}
	for i := range in.positions {
		in.positions[i] = int32(i)
	}
	for i, program := range t.programs {
		out, err := m.stage(ctx, s, t, program, in, i, told)
		if err != nil || i == len(d.Layers) {
			return kept, err
		}
		if slices.ContainsFunc(out.sizes, func(v float32) bool { return math.IsNaN(float64(v)) }) {
			return nil, fmt.Errorf("the time steps of layer %d are no numbers", d.Layers[i])
		}
		in = out.only(d.stay(i, out.sizes))
		kept = append(kept, Kept{d.Layers[i], in.positions})
	}
	return kept, nil
}

// travellers are tokens with the host between two stages: rows of the stream, and of what was kept of each.
type travellers struct {
	tokens      []int32 // before the first stage
	positions   []int32
	sizes       []float32
	stream, own []byte
}

// only are some of them.
func (in *travellers) only(places []int) *travellers {
	out, rows := &travellers{}, len(in.positions)
	wide, own := len(in.stream)/rows, len(in.own)/rows
	for _, at := range places {
		out.positions = append(out.positions, in.positions[at])
		out.stream = append(out.stream, in.stream[at*wide:(at+1)*wide]...)
		out.own = append(out.own, in.own[at*own:(at+1)*own]...)
	}
	return out
}

// stage takes tokens through a stage's program, as many at once as a chunk has.
func (m *Model) stage(ctx context.Context, s *State, t *stages, program *graph.Program, in *travellers, i int, told decimated) (*travellers, error) {
	p, ends, n := m.programs, i == len(t.layers), len(in.positions)
	spans := s.spans()
	spans.Arena = t.arena.Whole()
	r, err := program.Record(spans)
	if err != nil {
		return nil, s.fail(err)
	}
	defer r.Close()
	out := &travellers{positions: in.positions}
	wide, own := 4*ops.Padded(m.sizes.Hidden), 4*t.width
	for done := 0; done < n; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		k := min(p.chunkTokens, n-done)
		p.setParams(k, int64(done))
		if i == 0 {
			p.setIDs(in.tokens[done : done+k])
		} else {
			copy(p.mapped(streamSlot), in.stream[done*wide:(done+k)*wide])
			copy(p.mapped(keptSlot), in.own[done*own:(done+k)*own])
		}
		if err := graph.Run(nil, r.At(int64(done))); err != nil {
			return nil, s.fail(err)
		}
		if !ends {
			out.stream = append(out.stream, p.mapped(streamSlot)[:k*wide]...)
			out.own = append(out.own, p.mapped(keptSlot)[:k*own]...)
			for at := range k {
				out.sizes = append(out.sizes, math.Float32frombits(binary.LittleEndian.Uint32(p.mapped(sizesSlot)[4*at:])))
			}
		} else if told.after != nil {
			if err := told.after(done, k, n); err != nil {
				return nil, err
			}
		}
		if done += k; i == 0 && told.progress != nil {
			told.progress(done, n)
		}
	}
	return out, nil
}
