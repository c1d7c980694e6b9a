package memmamba

import (
	"fmt"

	"github.com/mmrun/mmrun/vk"
)

// A cache has the keys and values of a Transformer's sequence, layer by layer, all with room for as many
// tokens; it is the part of a state that grows.
type cache []cacheLayer

type cacheLayer struct {
	buffer       *vk.Buffer // nil before the first token
	rows         int64      // tokens that there is room for
	keys, values vk.Span
}

const (
	firstRows = 256 // of a new cache; it then grows by doubling
	rowsStep  = 64  // rows are a multiple of it, so that values lie where a span may begin
)

// rowBytes is the size of one token's keys in one layer.
func (c Config) rowBytes() int64 { return 4 * int64(c.heads().Count) * int64(c.heads().D()) }

// tokenBytes is what one token takes in a cache; 0 for a model that has none.
func (c Config) tokenBytes() int64 {
	if c.Transformer == nil {
		return 0
	}
	return 2 * int64(c.NumHiddenLayers) * c.rowBytes()
}

// newStateBytes is the size of a new state.
func (c Config) newStateBytes(l *stateLayout) int64 {
	if c.Transformer == nil {
		return l.bytes
	}
	return cacheRows(1, c.maxTokens()) * c.tokenBytes()
}

// cacheRows is how many rows a cache has when it must have so many; most of what there may ever be.
func cacheRows(tokens, most int64) int64 {
	rows := int64(firstRows)
	for rows < tokens {
		rows *= 2
	}
	return (min(rows, most) + rowsStep - 1) / rowsStep * rowsStep
}

// reserve makes room for so many tokens. Layers grow one after the other, so that no more than one is
// there twice; when that fails, those that have grown stay so.
func (s *State) reserve(tokens int64) error {
	m := s.model
	bytes := m.config.rowBytes()
	if tokens <= s.cache.rows() {
		return nil
	}
	limits := m.device.Info().Limits
	binding := min(int64(limits.MaxStorageBufferRange), 16*int64(limits.MaxTexelBufferElements))
	most := binding / bytes / rowsStep * rowsStep
	if tokens > most {
		return fmt.Errorf("the keys of %d tokens take %d bytes a layer, the device allows %d in one binding: %d tokens", tokens, tokens*bytes, binding, most)
	}
	s.closeRecordings() // they are bound to what is there now
	rows := cacheRows(tokens, min(most, m.config.maxTokens()))
	for l := range s.cache {
		if err := s.grow(&s.cache[l], rows); err != nil {
			return fmt.Errorf("keys and values of layer %d for %d tokens: %w", l, rows, err)
		}
	}
	return nil
}

// grow gives a layer more rows and takes along those of the tokens so far.
func (s *State) grow(l *cacheLayer, rows int64) error {
	if rows <= l.rows {
		return nil
	}
	bytes := s.model.config.rowBytes()
	b, err := s.model.device.NewBuffer(2*rows*bytes, vk.DeviceLocal)
	if err != nil {
		return err
	}
	larger := cacheLayer{b, rows, b.Span(0, rows*bytes), b.Span(rows*bytes, rows*bytes)}
	if s.position > 0 && l.buffer != nil {
		if err := s.model.copy(larger.pairs(*l, s.position*bytes)...); err != nil {
			b.Close()
			return err
		}
	}
	if l.buffer != nil {
		l.buffer.Close()
	}
	*l = larger
	return nil
}

// parts are the first bytes of keys and values.
func (l cacheLayer) parts(bytes int64) [2]vk.Span {
	return [2]vk.Span{l.keys.Buffer.Span(l.keys.Off, bytes), l.values.Buffer.Span(l.values.Off, bytes)}
}

// pairs are the first bytes of keys and values with those of another cache, to copy from.
func (l cacheLayer) pairs(from cacheLayer, bytes int64) [][2]vk.Span {
	to, source := l.parts(bytes), from.parts(bytes)
	return [][2]vk.Span{{to[0], source[0]}, {to[1], source[1]}}
}

func (c cache) pairs(from cache, bytes int64) (all [][2]vk.Span) {
	for l := range c {
		all = append(all, c[l].pairs(from[l], bytes)...)
	}
	return all
}

// rows is how many tokens every layer has room for.
func (c cache) rows() int64 {
	least := c[0].rows
	for _, l := range c {
		least = min(least, l.rows)
	}
	return least
}

func (c cache) bytes() (total int64) {
	for _, l := range c {
		total += l.keys.Size + l.values.Size
	}
	return total
}

func (c cache) close() {
	for _, l := range c {
		if l.buffer != nil {
			l.buffer.Close()
		}
	}
}

// downloadCache returns the keys and values of all tokens, layer by layer.
func (s *State) downloadCache() ([]byte, error) {
	bytes := s.position * s.model.config.rowBytes()
	data := make([]byte, 2*bytes*int64(len(s.cache)))
	if bytes == 0 {
		return data, nil
	}
	rest := data
	for _, l := range s.cache {
		for _, part := range l.parts(bytes) {
			if err := s.model.device.Download(rest[:bytes], part); err != nil {
				return nil, err
			}
			rest = rest[bytes:]
		}
	}
	return data, nil
}

// uploadCache fills a cache with what downloadCache returned of a sequence of so many tokens.
func (s *State) uploadCache(data []byte, tokens int64) error {
	if err := s.reserve(tokens); err != nil || tokens == 0 {
		return err
	}
	bytes := tokens * s.model.config.rowBytes()
	for _, l := range s.cache {
		for _, part := range l.parts(bytes) {
			if err := s.model.upload(part, data[:bytes]); err != nil {
				return err
			}
			data = data[bytes:]
		}
	}
	return nil
}
