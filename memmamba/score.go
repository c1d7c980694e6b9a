package memmamba

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/vk"
)

// The slots of the program that scores. They are small and read once: the host's memory will do.
const (
	targetsSlot = "targets"
	nllSlot     = "nll"
)

// Score feeds tokens to a sequence that Generate did not yield to and tells how surprised the model is by what comes
// after each: -ln of the probability it gives targets[i] after tokens[i], in nats. each is called with
// the index of the first of some tokens and their surprises. Only the last token's logits leave the device.
func (m *Model) Score(ctx context.Context, s *State, tokens, targets []int32, each func(first int, nats []float32) error) error {
	if err := m.settle(); err != nil {
		return err
	}
	if len(s.next) > 0 {
		return errors.New("the state waits for the token that was generated last")
	}
	if len(targets) != len(tokens) {
		return fmt.Errorf("%d tokens and %d targets", len(tokens), len(targets))
	}
	if err := errors.Join(m.check(s, tokens), m.checkTargets(targets)); err != nil {
		return err
	}
	if err := m.programs.prepareScore(m); err != nil {
		return err
	}
	for done := 0; done < len(tokens); {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := m.feedChunk(s, tokens[done:])
		if err != nil {
			return err
		}
		for from := 0; from < n; from += rowsBlock {
			some := targets[done+from : done+min(from+rowsBlock, n)]
			nats, err := m.scoreRows(s, from/rowsBlock, some)
			if err != nil {
				return err
			}
			if err := each(done+from, nats); err != nil {
				return err
			}
		}
		if done += n; done == len(tokens) {
			return m.head(s, n, false)
		}
	}
	return nil
}

func (m *Model) checkTargets(targets []int32) error {
	for i, id := range targets {
		if id < 0 || int(id) >= m.config.VocabSize {
			return fmt.Errorf("target %d: id %d is outside the vocabulary of %d", i, id, m.config.VocabSize)
		}
	}
	return nil
}

// prepareScore builds the program that scores when it is first asked for.
func (p *programs) prepareScore(m *Model) error {
	if p.score != nil {
		return nil
	}
	for _, name := range []string{targetsSlot, nllSlot} {
		if err := p.buffer(name, 4*rowsBlock, vk.HostVisible); err != nil {
			return err
		}
	}
	g := &pass{Graph: graph.New(m.device), c: m.config, w: m.weights, state: p.layout, tokens: rowsBlock}
	p.buildScore(g)
	var err error
	p.score, err = g.Plan()
	return err
}

// buildScore is buildRows with the logits left on the device.
func (p *programs) buildScore(g *pass) {
	p.copyParams(g.Graph)
	y := g.Slot(logitsSlot, 0, g.tokens, g.w.Head.Rows)
	ops.LinearInto(g.Graph, "head", y, g.Slot(residualSlot, 0, g.tokens, g.w.Embeddings.Cols), g.w.NormF, g.w.Head, ops.Finish{})
	ops.NLL(g.Graph, y, g.Slot(targetsSlot, 0, g.tokens, 1), g.c.VocabSize, g.Slot(nllSlot, 0, g.tokens, 1))
}

// scoreRows scores tokens of the last chunk, from a block of rows on.
func (m *Model) scoreRows(s *State, block int, targets []int32) ([]float32, error) {
	p := m.programs
	p.setParams(len(targets), s.position)
	in, out := p.spans[targetsSlot].Buffer.Mapped(), p.spans[nllSlot].Buffer.Mapped()
	for i, id := range targets {
		binary.LittleEndian.PutUint32(in[4*i:], uint32(id))
	}
	r, err := p.shared(p.score, m.arena.Whole(), block)
	if err == nil {
		err = r.Run()
	}
	if err != nil {
		return nil, err
	}
	nats := make([]float32, len(targets))
	for i := range nats {
		nats[i] = math.Float32frombits(binary.LittleEndian.Uint32(out[4*i:]))
		if x := float64(nats[i]); math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("the model's logits are no numbers (%g) %d tokens before position %d", x, len(nats)-i, s.position)
		}
	}
	return nats, nil
}
