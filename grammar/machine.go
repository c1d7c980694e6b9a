package grammar

import (
	"encoding/binary"
	"slices"
)

// item is a place in the grammar with the stacks of calls that lead to it.
type item struct{ state, stacks int32 }

// place is all that may be after a text.
type place struct {
	items []item  // that read a byte or a token, in order
	ends  bool    // the text may end
	next  []int32 // by class of bytes: a place, nowhere, or unknown
	loops uint64  // kinds of bytes after which the place is the same; once looped is set
	mask  []uint64
	known bool // loops is
}

// In place.next.
const (
	nowhere = -1
	unknown = -2
)

// Bounds of work and memory.
const (
	mostWork   = 1 << 21 // for a token; a unit is a small step
	mostMemory = 8 << 20 // of what is kept from one token to another, in bytes
)

// machine finds places, and keeps what it found.
type machine struct {
	g      *Grammar
	stacks *stacks
	places []place
	index  map[string]int32
	key    []byte

	far   int             // how many bytes a token may have
	alike map[int32]int32 // by set of stacks: one that is the same for the given number of bytes

	current []int32 // by state: the stacks that lead to it, or none
	touched []int32 // states that current has
	open    []int32 // those to look at
	queued  []bool
	ends    bool
}

const none = -1

// newMachine returns a machine for tokens of up to far bytes.
func newMachine(g *Grammar, far int) *machine {
	m := &machine{g: g, far: far, current: make([]int32, len(g.states)), queued: make([]bool, len(g.states))}
	for i := range m.current {
		m.current[i] = none
	}
	m.stacks, m.index, m.alike = newStacks(g.states), map[string]int32{}, map[int32]int32{}
	m.stacks.work = mostWork
	return m
}

// start is the place before the text.
func (m *machine) start() int32 {
	m.add(0, emptyStack)
	return m.arrive()
}

// step is the place after a byte of a class, or nowhere.
func (m *machine) step(at int32, class uint8) int32 {
	if next := m.places[at].next[class]; next != unknown {
		return next
	}
	b := m.g.bytes[class]
	for _, it := range m.places[at].items {
		for _, e := range m.g.states[it.state].edges {
			if e.lo <= b && b <= e.hi {
				m.add(e.to, it.stacks)
			}
		}
	}
	next := m.arrive()
	m.places[at].next[class] = next
	return next
}

// add adds a place in the grammar with the stacks that lead to it, unless the text could not be completed from it.
func (m *machine) add(state, stacks int32) {
	need := m.g.need[state]
	if need == never || m.stacks.depth[stacks]+need > MaxDepth {
		return
	}
	switch before := m.current[state]; {
	case before == none:
		m.current[state] = stacks
		m.touched = append(m.touched, state)
	default:
		union := m.stacks.union(before, stacks)
		if union == before {
			return
		}
		m.current[state] = union
	}
	if !m.queued[state] {
		m.queued[state] = true
		m.open = append(m.open, state)
	}
}

// arrive follows all that reads nothing, and returns the place that this is.
func (m *machine) arrive() int32 {
	for len(m.open) > 0 {
		state := m.open[len(m.open)-1]
		m.open = m.open[:len(m.open)-1]
		m.queued[state] = false
		if m.stacks.work > 0 {
			m.follow(state, m.current[state])
		}
	}
	slices.Sort(m.touched)
	m.key = m.key[:0]
	n := 0
	for _, state := range m.touched {
		if s := &m.g.states[state]; len(s.edges) > 0 || len(s.tokens) > 0 {
			m.key = binary.LittleEndian.AppendUint32(m.key, uint32(state))
			m.key = binary.LittleEndian.AppendUint32(m.key, uint32(m.current[state]))
			n++
		}
	}
	if m.ends {
		m.key = append(m.key, 1)
	}
	at := int32(nowhere)
	if len(m.key) > 0 {
		var ok bool
		if at, ok = m.index[string(m.key)]; !ok {
			at = m.found(n)
		}
	}
	for _, state := range m.touched {
		m.current[state] = none
	}
	m.touched, m.ends = m.touched[:0], false
	return at
}

// found keeps a new place, of n items.
func (m *machine) found(n int) int32 {
	p := place{ends: m.ends, items: make([]item, 0, n), next: make([]int32, len(m.g.bytes))}
	for _, state := range m.touched {
		if s := &m.g.states[state]; len(s.edges) > 0 || len(s.tokens) > 0 {
			p.items = append(p.items, item{state, m.current[state]})
		}
	}
	for i := range p.next {
		p.next[i] = unknown
	}
	at := int32(len(m.places))
	m.places = append(m.places, p)
	m.index[string(m.key)] = at
	m.stacks.bytes += 200 + 16*n + len(m.key) + 4*len(p.next)
	m.stacks.work -= 1 + n + len(p.next)/8
	return at
}

// follow goes on from a state without reading.
func (m *machine) follow(state, at int32) {
	s := &m.g.states[state]
	m.stacks.work -= 1 + len(s.eps) + len(s.calls)
	for _, to := range s.eps {
		m.add(to, at)
	}
	for _, c := range s.calls {
		switch {
		case m.g.states[c.ret].passes:
			m.add(c.start, at)
		case m.g.need[c.ret] != never && m.stacks.depth[at]+m.g.need[c.ret] <= MaxDepth:
			m.add(c.start, m.stacks.push(c.ret, 0, at))
		}
	}
	if n := s.count; n != nil {
		if n.min == 0 {
			m.add(n.exit, at)
		}
		m.again(state, 1, at)
	}
	if s.final {
		m.pop(at)
	}
}

// again repeats what a counter repeats, for the nth time.
func (m *machine) again(state, nth, at int32) {
	n := m.g.states[state].count
	if m.g.need[n.exit] == never || m.stacks.depth[at]+m.g.need[n.exit] > MaxDepth {
		return
	}
	m.add(n.body, m.stacks.push(state, nth, at))
}

// pop ends a rule: its callers go on.
func (m *machine) pop(at int32) {
	for _, f := range m.stacks.sets[at] {
		m.stacks.work--
		if f.ret == bottom {
			m.ends = true
			continue
		}
		n := m.g.states[f.ret].count
		if n == nil {
			m.add(f.ret, f.below)
			continue
		}
		if int(f.count) >= n.min {
			m.add(n.exit, f.below)
		}
		switch {
		case n.max == unlimited:
			m.again(f.ret, min(f.count+1, int32(max(n.min, 1))), f.below)
		case int(f.count) < n.max:
			m.again(f.ret, f.count+1, f.below)
		}
	}
}

// move makes sets of stacks of another machine for the same grammar ones of this, and tells change of every frame. moved
// keeps what is done.
func (m *machine) move(from *stacks, set int32, moved map[int32]int32, change func(frame) frame) int32 {
	if to, ok := moved[set]; ok {
		return to
	}
	to := int32(none)
	for _, f := range from.sets[set] {
		if f.ret != bottom {
			f.below = m.move(from, f.below, moved, change)
		}
		if one := m.stacks.set([]frame{change(f)}); to == none {
			to = one
		} else {
			to = m.stacks.union(to, one)
		}
	}
	moved[set] = to
	return to
}

// carry makes the place of another machine for the same grammar one of this.
func (m *machine) carry(from *machine, at int32) int32 {
	moved := map[int32]int32{}
	return m.alter(from, at, moved, func(f frame) frame { return f })
}

// alter is the place at of a machine with other frames.
func (m *machine) alter(from *machine, at int32, moved map[int32]int32, change func(frame) frame) int32 {
	p := &from.places[at]
	for _, it := range p.items {
		m.current[it.state] = m.move(from.stacks, it.stacks, moved, change)
		m.touched = append(m.touched, it.state)
	}
	m.ends = p.ends
	return m.arrive()
}

// like is a place after which the same tokens may come: one with other counts where no token is long enough to bring
// them to a bound.
func (m *machine) like(at int32) int32 {
	return m.alter(m, at, m.alike, func(f frame) frame {
		if f.ret == bottom || m.g.states[f.ret].count == nil {
			return f
		}
		n := m.g.states[f.ret].count
		count, far := int(f.count), m.far+1
		switch {
		case n.max != unlimited && n.max-count <= far:
		case count >= n.min:
			f.count = int32(max(n.min, 1))
		case n.min-count > far:
			f.count = int32(n.min - far)
		}
		return f
	})
}
