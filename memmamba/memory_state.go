package memmamba

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/ops"
)

// The parts of a memory that all layers share. The last three follow from the pools.
const (
	poolPart       = "pool"           // (L·P, S), summaries of the notes, oldest first
	importancePart = "importance"     // (L·P), of the notes; 0 where there is none
	positionPart   = "position"       // (L·P), of the notes' tokens
	readsPart      = "reads"          // (L), 1 where a layer reads its pool in this window
	layerReadsPart = "layer_reads"    // (attending), 1 where a layer reads those before it; where states decide
	pendingPart    = "pending"        // (L·W, S), summaries of this window's notes
	notedPart      = "noted"          // (L·W), their importances
	tokenKVPart    = "token_attn.kv"  // (L·P, 2S), keys and values of cross-token attention
	crossKVPart    = "layer_attn.kv"  // (attending·keys, 2S), those of cross-layer attention
	crossWorthPart = "layer_attn.imp" // (attending·keys), the importances of its notes
)

// memoryState is the shape of a memory's parts.
type memoryState struct {
	L, P, W, S int // P places of a pool, as many as it grows to; S padded
	attending  int // layers with cross-layer attention
	crossKeys  int // keys of each

	layerDecides bool // states decide whether these read
	decides      bool // states decide that, or whether layers read their own pools
}

func (c *Config) memoryState() *memoryState {
	m := c.Memory
	s := &memoryState{L: c.NumHiddenLayers, P: m.PoolMax, W: m.Window, S: ops.Padded(m.SummaryDim),
		attending: c.NumHiddenLayers / m.Period, crossKeys: m.PoolMax}
	if m.Pooling == "concat" {
		s.crossKeys *= m.Period
	}
	s.layerDecides = s.attending > 0 && m.layerReads() == readsByState
	s.decides = s.layerDecides || m.reads() == readsByState
	return s
}

func (c *Config) memoryParts() []engine.Part {
	s := c.memoryState()
	part := func(name string, rows, cols int) engine.Part {
		return engine.Part{Layer: engine.Shared, Name: name, Rows: rows, Cols: cols}
	}
	derived := func(name string, rows, cols int) engine.Part {
		p := part(name, rows, cols)
		p.Derived = true
		return p
	}
	notes, pending, cross := s.L*s.P, s.L*s.W, s.attending*s.crossKeys
	parts := []engine.Part{
		part(poolPart, notes, s.S), part(importancePart, notes, 1), part(positionPart, notes, 1), part(readsPart, s.L, 1),
		part(pendingPart, pending, s.S), part(notedPart, pending, 1),
		derived(tokenKVPart, notes, 2*s.S), derived(crossKVPart, cross, 2*s.S), derived(crossWorthPart, cross, 1),
	}
	if s.layerDecides {
		parts = append(parts, part(layerReadsPart, s.attending, 1))
	}
	return parts
}

// notes are the pools of all sequences.
func (s *memoryState) notes(p *engine.Pass) ops.Notes {
	return ops.Notes{
		Summaries:   p.Part(engine.Shared, poolPart),
		Importances: p.Shaped(p.Part(engine.Shared, importancePart), s.L, s.P),
		Positions:   p.Shaped(p.Part(engine.Shared, positionPart), s.L, s.P),
		Sequences:   p.Sequences(),
	}
}

// pending are the notes of this window of all sequences.
func (s *memoryState) pending(p *engine.Pass) ops.Pending {
	return ops.Pending{
		Summaries:   p.Part(engine.Shared, pendingPart),
		Importances: p.Shaped(p.Part(engine.Shared, notedPart), s.L, s.W),
		Sequences:   p.Sequences(),
	}
}

// tokenAttention is layer l's attention to its own pool during a window, of all sequences.
func (s *memoryState) tokenAttention(p *engine.Pass, l int) ops.Attention {
	return attention(p, tokenKVPart, importancePart, s.P, l)
}

// layerAttention is the attention of the a-th layer that attends to the pools of the layers before it during a
// window, of all sequences.
func (s *memoryState) layerAttention(p *engine.Pass, a int) ops.Attention {
	return attention(p, crossKVPart, crossWorthPart, s.crossKeys, a)
}

func attention(p *engine.Pass, kv, importances string, keys, i int) ops.Attention {
	return ops.Attention{
		KV: p.Part(engine.Shared, kv), Importances: p.Part(engine.Shared, importances),
		Keys: keys, First: i * keys, Sequences: p.Sequences(),
	}
}

// PassTokens implements engine.Bounded. Where reads depend on the recurrent state a pass ends with the window;
// elsewhere it goes through windows as far as its tables have room.
func (c *Config) PassTokens(chunk int) int {
	if c.Memory == nil {
		return chunk
	}
	m := c.memoryState()
	if m.decides {
		return min(chunk, m.W)
	}
	rows := passBytes/(4*m.L*m.S) - m.P - m.W // of every layer's notes
	windows := passBytes / (4 * m.L * m.P)
	if m.attending > 0 && c.Memory.Pooling != "concat" {
		windows = min(windows, passBytes/(4*m.P*2*m.S)) // of joined pools' keys and values
	}
	return max(1, min(chunk, rows, (windows-1)*m.W))
}

// TokensAt implements engine.Bounded.
func (c *Config) TokensAt(int64) int { return engine.MaxChunk }

// CheckState implements engine.Checked.
func (c *Config) CheckState(saved engine.SavedState) error {
	if c.Memory == nil {
		return nil
	}
	s := c.memoryState()
	importances, positions := words(saved.Part(engine.Shared, importancePart)), words(saved.Part(engine.Shared, positionPart))
	for i := range s.L * s.P {
		if importance, at := importances.float(i), int64(positions.word(i)); !worth(importance) || at >= max(saved.Position, 1) {
			return fmt.Errorf("layer %d: pool place %d holds importance %g, position %d", i/s.P, i%s.P, importance, at)
		}
	}
	for l := range s.L {
		room, notes := c.Memory.roomAt(max(saved.Position-1, 0)/int64(s.W)), 0
		for i := range s.P {
			if importances.float(l*s.P+i) > 0 {
				notes++
			}
		}
		if notes > room {
			return fmt.Errorf("layer %d: %d notes in a pool that has room for %d", l, notes, room)
		}
	}
	noted := words(saved.Part(engine.Shared, notedPart))
	for i := range s.L * s.W {
		if importance := noted.float(i); !worth(importance) {
			return fmt.Errorf("layer %d: token %d of the window is noted with importance %g", i/s.W, i%s.W, importance)
		}
	}
	return nil
}

// worth says whether a number can be an importance.
func worth(importance float32) bool { return importance >= 0 && importance <= 1 }

// words are numbers of 32 bits.
type words []byte

func (w words) word(i int) uint32   { return binary.LittleEndian.Uint32(w[4*i:]) }
func (w words) float(i int) float32 { return math.Float32frombits(w.word(i)) }

// The device's reads are numbers, too.
func (w words) flags(n int) []bool {
	flags := make([]bool, n)
	for i := range flags {
		flags[i] = w.word(i) != 0
	}
	return flags
}
