package grammar

import (
	"fmt"

	"github.com/mmrun/mmrun/sample"
)

// constraint is a text that is being written to a grammar.
type constraint struct {
	g     *Grammar
	v     *Vocabulary
	m     *machine // nil before the text begins and when it has ended
	at    int32
	ended bool
	way   []int32 // by length of a prefix: the place after it
}

var _ sample.Constraint = (*constraint)(nil)

// Constraint returns what holds one text to the grammar, token by token. A token that the grammar names and the
// vocabulary does not is an error, and so is a vocabulary without an end token: such a text could not end.
func (g *Grammar) Constraint(v *Vocabulary) (sample.Constraint, error) {
	if len(v.ends) == 0 {
		return nil, fmt.Errorf("grammar: the model has no token that ends a text")
	}
	for i := range g.states {
		for _, t := range g.states[i].tokens {
			if _, ok := t.find(v); !ok {
				return nil, fmt.Errorf("grammar: the model has no token %s", t.tokenName)
			}
		}
	}
	return &constraint{g: g, v: v}, nil
}

// String writes a token's name as a grammar does.
func (t tokenName) String() string {
	if t.id >= 0 {
		return fmt.Sprintf("<[%d]>", t.id)
	}
	return t.text
}

// find is the id of the token.
func (t tokenName) find(v *Vocabulary) (int32, bool) {
	if t.id >= 0 {
		return t.id, int(t.id) < len(v.pieces)
	}
	id, ok := v.names[t.text]
	return id, ok
}

// failed is the error where the last steps were too much. What was found in them is incomplete, and forgotten.
func (c *constraint) failed() error {
	if c.m.stacks.work > 0 && c.m.stacks.bytes <= 4*mostMemory {
		return nil
	}
	c.renew()
	return fmt.Errorf("grammar: %w", ErrTooAmbiguous)
}

// renew forgets all places but the one where the text is.
func (c *constraint) renew() {
	old := c.m
	c.m = newMachine(c.g, c.v.depth)
	if c.at != nowhere {
		c.at = c.m.carry(old, c.at)
	}
}

// begin makes room for the work of a token.
func (c *constraint) begin() error {
	if c.m == nil {
		c.m, c.at, c.way = newMachine(c.g, c.v.depth), nowhere, make([]int32, c.v.depth+1)
		at := c.m.start()
		if err := c.failed(); err != nil {
			c.m = nil
			return err
		}
		c.at = at
	}
	if c.m.stacks.bytes > mostMemory {
		c.renew()
	}
	c.m.stacks.work = mostWork
	return nil
}

// Allowed sets allow[id] to whether the token may come next.
func (c *constraint) Allowed(allow []bool) error {
	clear(allow)
	if c.ended {
		return nil
	}
	if err := c.begin(); err != nil {
		return err
	}
	at := c.m.like(c.at)
	if c.m.places[at].mask == nil {
		if err := c.walk(at); err != nil {
			return err
		}
	}
	p := &c.m.places[at]
	for i, word := range p.mask {
		for j := i * 64; word != 0 && j < len(allow); j++ {
			allow[j] = word&1 != 0
			word >>= 1
		}
	}
	for _, id := range c.v.ends {
		if 0 <= id && int(id) < len(allow) {
			allow[id] = p.ends
		}
	}
	return nil
}

// walk finds which tokens may come at a place.
func (c *constraint) walk(from int32) error {
	v, m := c.v, c.m
	mask := make([]uint64, (len(v.pieces)+63)/64)
	c.byName(from, mask)
	c.way[0] = from
	for i := 0; i < len(v.nodes)-1; {
		n := &v.nodes[i]
		before := c.way[n.length-1]
		at := m.step(before, c.g.classes[n.last])
		if at == nowhere {
			i = int(n.after)
			continue
		}
		to := i + 1
		if at == before && n.kinds&^m.loops(at) == 0 {
			to = int(n.after) // whatever follows, the place stays the same
		}
		for _, id := range v.ids[n.first:v.nodes[to].first] {
			mask[id/64] |= 1 << (id % 64)
		}
		c.way[n.length] = at
		i = to
		if m.stacks.work <= 0 {
			break
		}
	}
	if err := c.failed(); err != nil {
		return err
	}
	m.places[from].mask = mask
	m.stacks.bytes += 8 * len(mask)
	return nil
}

// byName sets the bits of tokens that the grammar names at a place.
func (c *constraint) byName(at int32, mask []uint64) {
	if !c.g.tokens {
		return
	}
	for _, it := range c.m.places[at].items {
		for _, t := range c.g.states[it.state].tokens {
			if c.g.need[t.to] == never {
				continue
			}
			id, _ := t.find(c.v)
			if !t.except {
				mask[id/64] |= 1 << (id % 64)
				continue
			}
			for i := range c.v.pieces {
				if int32(i) != id {
					mask[i/64] |= 1 << (i % 64)
				}
			}
		}
	}
}

// loops are the kinds of bytes after which a place is the same.
func (m *machine) loops(at int32) uint64 {
	if m.places[at].known {
		return m.places[at].loops
	}
	loops := ^uint64(0)
	for b := range 256 {
		if m.step(at, m.g.classes[b]) != at {
			loops &^= 1 << kindOf[b]
		}
	}
	m.places[at].loops, m.places[at].known = loops, true
	return loops
}

// Accept takes the token that was chosen.
func (c *constraint) Accept(id int32) error {
	switch {
	case id < 0 || int(id) >= len(c.v.pieces):
		return fmt.Errorf("grammar: token %d is not in the vocabulary", id)
	case c.ended:
		return fmt.Errorf("grammar: token %d comes after the end", id)
	}
	if err := c.begin(); err != nil {
		return err
	}
	if c.v.end[id] {
		if !c.m.places[c.at].ends {
			return fmt.Errorf("grammar: the text may not end here")
		}
		c.ended, c.m, c.way = true, nil, nil
		return nil
	}
	at := c.read(id)
	if err := c.failed(); err != nil {
		return err
	}
	if at == nowhere {
		return fmt.Errorf("grammar: token %d may not come here", id)
	}
	c.at = at
	return nil
}

// read is the place after a token: by its bytes, by its name, or by both.
func (c *constraint) read(id int32) int32 {
	m, at := c.m, c.at
	if len(c.v.pieces[id]) == 0 {
		at = nowhere
	}
	for _, b := range c.v.pieces[id] {
		if at = m.step(at, c.g.classes[b]); at == nowhere {
			break
		}
	}
	if !c.g.tokens {
		return at
	}
	for _, it := range m.places[c.at].items {
		for _, t := range c.g.states[it.state].tokens {
			if named, _ := t.find(c.v); (named == id) != t.except {
				m.add(t.to, it.stacks)
			}
		}
	}
	if at != nowhere {
		for _, it := range m.places[at].items {
			m.add(it.state, it.stacks)
		}
		m.ends = m.ends || m.places[at].ends
	}
	return m.arrive()
}
