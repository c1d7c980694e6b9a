package engine

import (
	"fmt"

	"github.com/mmrun/mmrun/vk"
)

// growingSlot is the slot of a growing part, of the sequence in a row of the state.
func growingSlot(p Part, row int) string { return fmt.Sprintf("%s.%d.%d", p.Name, p.Layer, row) }

// grown are the growing parts of one sequence, each with room for some tokens.
type grown []*growingPart

type growingPart struct {
	Part
	buffer *vk.Buffer // nil before the first token
	tokens int64      // that there is room for
}

const (
	firstTokens = 256 // of a new growing part; it then grows by doubling
	tokensStep  = 64  // room is a multiple of it
)

func newGrown(parts []Part) grown {
	var g grown
	for _, p := range parts {
		g = append(g, &growingPart{Part: p})
	}
	return g
}

// room is for how many tokens to make room when the given number needs it; most is the most that there may ever be.
func room(tokens, most int64) int64 {
	rows := int64(firstTokens)
	for rows < tokens {
		rows *= 2
	}
	return (min(rows, most) + tokensStep - 1) / tokensStep * tokensStep
}

// reserve makes room for the given number of tokens in the growing parts.
func (s *State) reserve(tokens int64) error {
	if s.grown.has(tokens) {
		return nil
	}
	s.closeRecordings() // they are bound to what is there now
	return s.model.reserve(s.grown, tokens, s.position)
}

// has says whether every part has room for the given number of tokens.
func (g grown) has(tokens int64) bool {
	for _, p := range g {
		if p.tokens < tokens {
			return false
		}
	}
	return true
}

// reserve makes room for the given number of tokens, and takes along those there are. Parts grow one after the other, so
// that no more than one is there twice; when that fails, those that have grown stay so.
func (m *Model) reserve(g grown, tokens, have int64) error {
	limits := m.device.Info().Limits
	binding := min(int64(limits.MaxStorageBufferRange), 16*int64(limits.MaxTexelBufferElements))
	for _, p := range g {
		if tokens <= p.tokens {
			continue
		}
		bytes := p.tokenBytes()
		most := binding / bytes / tokensStep * tokensStep
		if tokens > most {
			return fmt.Errorf("the %s of %d tokens take %d bytes a layer, the device allows %d in one binding: %d tokens", p.Name, tokens, tokens*bytes, binding, most)
		}
		rows := room(tokens, min(most, m.sizes.MaxTokens))
		b, err := m.device.NewBuffer(rows*bytes, vk.DeviceLocal)
		if err != nil {
			return fmt.Errorf("%s of layer %d for %d tokens: %w", p.Name, p.Layer, rows, err)
		}
		if have > 0 && p.buffer != nil {
			if err := m.copy([2]vk.Span{b.Span(0, have*bytes), p.buffer.Span(0, have*bytes)}); err != nil {
				b.Close()
				return err
			}
		}
		if p.buffer != nil {
			p.buffer.Close()
		}
		p.buffer, p.tokens = b, rows
	}
	return nil
}

// find returns a part, nil when there is none.
func (g grown) find(layer int, name string) *growingPart {
	for _, p := range g {
		if p.Layer == layer && p.Name == name {
			return p
		}
	}
	return nil
}

// of is what a part has of the first tokens.
func (p *growingPart) of(tokens int64) vk.Span { return p.buffer.Span(0, tokens*p.tokenBytes()) }

// pairs are the first tokens of all parts with those of another sequence, to copy from.
func (g grown) pairs(from grown, tokens int64) (all [][2]vk.Span) {
	if tokens == 0 {
		return nil
	}
	for i := range g {
		all = append(all, [2]vk.Span{g[i].of(tokens), from[i].of(tokens)})
	}
	return all
}

// slots adds what programs bind.
func (g grown) slots(to map[string]vk.Span, row int) {
	for _, p := range g {
		to[growingSlot(p.Part, row)] = p.buffer.Whole()
	}
}

func (g grown) bytes() (total int64) {
	for _, p := range g {
		if p.buffer != nil {
			total += p.buffer.Size()
		}
	}
	return total
}

func (g grown) close() {
	for _, p := range g {
		if p.buffer != nil {
			p.buffer.Close()
		}
	}
}
