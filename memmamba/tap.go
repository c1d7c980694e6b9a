package memmamba

import (
	"context"
	"errors"
	"fmt"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/quant"
	"github.com/mmrun/mmrun/vk"
)

// A LayerTap is what one layer worked with for T tokens.
type LayerTap struct {
	X     []float32 // (T, d), its normalized input, before what the memory recalls
	U     []float32 // (T, E), what goes into the state space
	Delta []float32 // (T, E), the time steps Δ
	B     []float32 // (T, N), what u is written to the state with
}

// tapTokens is how many tokens are tapped in one go: few, since all layers' values are kept.
const tapTokens = 64

const tapsSlot, tapArenaSlot = "taps", "taps.arena"

// taps collects what a pass is tapped for, layer by layer, one after the other in a slot of its own.
type taps struct {
	program *graph.Program
	tokens  int
	kept    []kept // four of each layer: x, u, [dt | B | C], Δ
	end     int64
}

// kept is where rows of cols numbers lie.
type kept struct {
	from int64
	cols int
}

const tapsOfLayer = 4

// tap keeps a copy of v if somebody looks into the pass.
func (p *pass) tap(v graph.Value) {
	if p.taps == nil {
		return
	}
	p.taps.kept = append(p.taps.kept, kept{p.taps.end, v.Cols})
	p.Copy(p.Slot(tapsSlot, p.taps.end, v.Rows, v.Cols), v)
	p.taps.end = graph.Align(p.taps.end + v.Bytes())
}

// ForwardTapped feeds tokens to a sequence that Generate did not yield to and hands over what every
// layer worked with. each is called with the index of the first of some tokens, never of two windows,
// and their taps, layer by layer, valid during the call. A Transformer has none.
func (m *Model) ForwardTapped(ctx context.Context, s *State, tokens []int32, each func(first int, layers []LayerTap) error) error {
	if err := m.settle(); err != nil {
		return err
	}
	if m.config.Transformer != nil {
		return fmt.Errorf("model_type %s has no state space to look into", m.config.ModelType)
	}
	if len(s.next) > 0 {
		return errors.New("the state waits for the token that was generated last")
	}
	if err := m.check(s, tokens); err != nil {
		return err
	}
	r, err := m.recordTaps(s)
	if err != nil {
		return err
	}
	data := make([]byte, m.programs.taps.end)
	layers := make([]LayerTap, m.config.NumHiddenLayers)
	for done := 0; done < len(tokens); {
		if err := ctx.Err(); err != nil {
			return err
		}
		limit := m.programs.taps.tokens
		if memory := m.config.Memory; memory != nil {
			limit = min(limit, memory.Window-int(s.position%int64(memory.Window)))
		}
		n, err := m.feed(s, tokens[done:], func(first *graph.Recording) error { return graph.Run(first, r) }, limit)
		if err != nil {
			return err
		}
		if err := m.device.Download(data, m.programs.spans[tapsSlot]); err != nil {
			return err
		}
		for l := range layers {
			if err := m.readTap(&layers[l], l, n, data); err != nil {
				return err
			}
		}
		if err := each(done, layers); err != nil {
			return err
		}
		if done += n; done == len(tokens) {
			return m.head(s, n, false)
		}
	}
	return nil
}

// recordTaps binds the program that is tapped to a state, and builds it when it is first asked for.
func (m *Model) recordTaps(s *State) (*graph.Recording, error) {
	p := m.programs
	if p.taps == nil {
		t := &taps{tokens: min(tapTokens, p.passTokens(m.config))}
		g := &pass{Graph: graph.New(m.device), c: m.config, w: m.weights, state: p.layout, tokens: t.tokens, taps: t}
		p.buildTapped(g)
		var err error
		if t.program, err = g.Plan(); err != nil {
			return nil, err
		}
		if err := p.buffer(tapsSlot, t.end, vk.DeviceLocal); err != nil {
			return nil, err
		}
		if err := p.buffer(tapArenaSlot, max(t.program.Arena(), 256), vk.DeviceLocal); err != nil {
			return nil, err
		}
		p.taps = t
	}
	if r, ok := s.recorded[p.taps.program]; ok {
		return r, nil
	}
	spans := s.spans()
	spans.Arena = p.spans[tapArenaSlot]
	r, err := p.taps.program.Record(spans)
	if err == nil {
		s.recorded[p.taps.program] = r
	}
	return r, err
}

// buildTapped is buildChunk for few tokens of one window.
func (p *programs) buildTapped(g *pass) {
	p.copyParams(g.Graph)
	r := g.Slot(residualSlot, 0, g.tokens, g.w.Embeddings.Cols)
	ops.EmbedInto(g.Graph, r, p.copyIn(g.Graph, idsSlot, g.tokens, 1), g.w.Embeddings)
	g.blocks(r)
}

// readTap takes one layer's taps of n tokens out of the slot's content, without padding.
func (m *Model) readTap(into *LayerTap, l, n int, data []byte) error {
	c, of := m.config, m.programs.taps.kept[tapsOfLayer*l:]
	rank := m.weights.Layers[l].SSM.DtProj.Cols // where B begins
	for _, part := range []struct {
		into     *[]float32
		k        kept
		from, to int
	}{
		{&into.X, of[0], 0, c.HiddenSize},
		{&into.U, of[1], 0, c.IntermediateSize},
		{&into.B, of[2], rank, rank + c.StateSize},
		{&into.Delta, of[3], 0, c.IntermediateSize},
	} {
		wide := part.to - part.from
		*part.into = append((*part.into)[:0], make([]float32, n*wide)...)
		for t := range n {
			at := part.k.from + 4*int64(t*part.k.cols+part.from)
			if err := quant.F32.Dequantize((*part.into)[t*wide:(t+1)*wide], data[at:at+4*int64(wide)]); err != nil {
				return err
			}
		}
	}
	return nil
}
