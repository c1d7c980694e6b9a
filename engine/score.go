package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

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
// the index of the first of some tokens and their surprises; it may not call the model. Only the last token's
// logits leave the device.
func (m *Model) Score(ctx context.Context, s *State, tokens, targets []int32, each func(first int, nats []float32) error) error {
	if err := m.there(s); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(targets) != len(tokens) {
		return fmt.Errorf("%d tokens and %d targets", len(tokens), len(targets))
	}
	if err := m.readyForText(s, tokens); err != nil {
		return err
	}
	if err := m.checkTargets(targets); err != nil {
		return err
	}
	if err := m.prepareScore(); err != nil {
		return err
	}
	return m.feed(ctx, s, tokens, Way{
		Run: s.run,
		After: func(p Passed) error {
			block := m.programs.rowsBlock
			for from := 0; from < p.Tokens; from += block {
				some := targets[p.First+from : p.First+min(from+block, p.Tokens)]
				nats, err := m.scoreRows(s, from/block, some)
				if err == nil {
					err = each(p.First+from, nats)
				}
				if err != nil {
					return err
				}
			}
			if !p.Last {
				return nil
			}
			return m.startHead(s, p.Tokens, false)
		},
	})
}

func (m *Model) checkTargets(targets []int32) error {
	for i, id := range targets {
		if id < 0 || int(id) >= m.sizes.Vocab {
			return fmt.Errorf("target %d: id %d is outside the vocabulary of %d", i, id, m.sizes.Vocab)
		}
	}
	return nil
}

// prepareScore builds the program that scores when it is first asked for.
func (m *Model) prepareScore() (err error) {
	p := m.programs
	if p.score != nil {
		return nil
	}
	for _, name := range []string{targetsSlot, nllSlot} {
		if err := p.buffer(name, 4*mostRows, vk.HostVisible); err != nil {
			return err
		}
	}
	p.score, err = m.plan(m.layout, p.rowsBlock, func(pass *Pass) { p.buildScore(pass, m.sizes.Vocab) })
	return err
}

func (p *programs) buildScore(pass *Pass, vocab int) {
	targets, nll := pass.Slot(targetsSlot, 0, pass.Tokens, 1), pass.Slot(nllSlot, 0, pass.Tokens, 1)
	ops.NLL(pass.Graph, p.allLogits(pass), targets, vocab, nll)
}

// scoreRows scores tokens of the last pass, from a block of rows on.
func (m *Model) scoreRows(s *State, block int, targets []int32) ([]float32, error) {
	p := m.programs
	p.setParams(len(targets), s.position)
	in, out := p.spans[targetsSlot].Buffer.Mapped(), p.spans[nllSlot].Buffer.Mapped()
	for i, id := range targets {
		binary.LittleEndian.PutUint32(in[4*i:], uint32(id))
	}
	r, err := p.unbound(p.score, m.arena.Whole(), block)
	if err == nil {
		err = r.Run()
	}
	if err != nil {
		return nil, s.fail(err)
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
