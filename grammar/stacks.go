package grammar

import (
	"encoding/binary"
	"slices"
)

// frame is the top of some stacks: where a rule's caller goes on, how many times it was repeated, and the stacks
// below.
type frame struct {
	ret, count int32 // ret is bottom where the stack is empty
	below      int32 // stacks
}

// bottom is the ret of the frame of the empty stack.
const bottom = -1

// emptyStack is the number of the set of the empty stack alone.
const emptyStack = 0

// stacks keeps sets of stacks, each once. A set lists the tops of its stacks in order, and for each the set of what
// is below.
type stacks struct {
	sets   [][]frame
	depth  []int32 // by set: that of its lowest stack
	index  map[string]int32
	unions map[[2]int32]int32
	states []state
	key    []byte
	work   int // what is left
	bytes  int // roughly, of all this
}

func newStacks(states []state) *stacks {
	s := &stacks{states: states, index: map[string]int32{}, unions: map[[2]int32]int32{}}
	s.set([]frame{{ret: bottom}})
	return s
}

// set is the number of the set of stacks with these tops, which are in order. It keeps no hold of them.
func (s *stacks) set(tops []frame) int32 {
	s.work -= 1 + len(tops)
	s.key = s.key[:0]
	for _, f := range tops {
		s.key = binary.LittleEndian.AppendUint32(s.key, uint32(f.ret))
		s.key = binary.LittleEndian.AppendUint32(s.key, uint32(f.count))
		s.key = binary.LittleEndian.AppendUint32(s.key, uint32(f.below))
	}
	if i, ok := s.index[string(s.key)]; ok {
		return i
	}
	i := int32(len(s.sets))
	depth := int32(never)
	for _, f := range tops {
		if f.ret == bottom {
			depth = 0
		} else {
			depth = min(depth, s.depth[f.below]+1)
		}
	}
	s.index[string(s.key)] = i
	s.sets = append(s.sets, slices.Clone(tops))
	s.depth = append(s.depth, depth)
	s.bytes += 100 + 2*len(s.key)
	return i
}

// push is a set of stacks with a frame on top of each.
func (s *stacks) push(ret, count, below int32) int32 {
	return s.set([]frame{{ret, count, below}})
}

// union is the set of the stacks in either of two.
func (s *stacks) union(a, b int32) int32 {
	if a == b {
		return a
	}
	if a > b {
		a, b = b, a
	}
	if u, ok := s.unions[[2]int32{a, b}]; ok {
		return u
	}
	if s.work < 0 {
		return a // the caller finds out that it was too much
	}
	var tops []frame
	x, y := s.sets[a], s.sets[b]
	for len(x) > 0 || len(y) > 0 {
		switch {
		case len(y) == 0 || len(x) > 0 && x[0].before(y[0]):
			tops, x = append(tops, x[0]), x[1:]
		case len(x) == 0 || y[0].before(x[0]):
			tops, y = append(tops, y[0]), y[1:]
		default:
			tops = append(tops, frame{x[0].ret, x[0].count, s.union(x[0].below, y[0].below)})
			x, y = x[1:], y[1:]
		}
	}
	u := s.set(s.prune(tops))
	s.unions[[2]int32{a, b}] = u
	s.bytes += 40
	return u
}

func (f frame) before(g frame) bool {
	return f.ret < g.ret || f.ret == g.ret && f.count < g.count
}

// prune takes out what is of no use: who has repeated something fewer times, and often enough, can do all that one
// can who has done it more times.
func (s *stacks) prune(tops []frame) []frame {
	out := tops[:0]
	for _, f := range tops {
		if n := len(out); n > 0 && f.ret == out[n-1].ret && f.below == out[n-1].below &&
			int(out[n-1].count) >= s.states[f.ret].count.min {
			continue
		}
		out = append(out, f)
	}
	return out
}
