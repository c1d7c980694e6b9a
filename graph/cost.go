package graph

import (
	"time"

	"github.com/mmrun/mmrun/vk"
)

// Cost is what a kernel call has to move and to compute at the least, for profiles and for the cutting of
// long work.
type Cost struct{ Bytes, Flops int64 }

func (c Cost) plus(other Cost, times int64) Cost {
	return Cost{c.Bytes + times*other.Bytes, c.Flops + times*other.Flops}
}

// A Growth is what a call costs more for every token that a sequence has before the pass, such as one
// that reads the keys of all of them.
type Growth struct {
	Each Cost
	Row  int   // of the state, the sequence's; 0 in a pass of one sequence
	Most int64 // tokens that there may be
}

// Grow says how the cost of the last call grows.
func (g *Graph) Grow(growth Growth) {
	if g.err == nil && len(g.nodes) > 0 {
		g.nodes[len(g.nodes)-1].growth = growth
	}
}

// at is what the node costs when sequences have the given number of tokens before the pass, by row of the state.
// Of a row that is not there it is what it costs at the beginning.
func (n *node) at(positions []int64) Cost {
	if n.growth.Row >= len(positions) {
		return n.cost
	}
	return n.cost.plus(n.growth.Each, max(0, positions[n.growth.Row]))
}

// Longest is how long the longest of the calls takes by a pace, with the given number of tokens before the pass.
func (p *Program) Longest(pace vk.Pace, positions ...int64) (longest time.Duration) {
	for i := range p.nodes {
		n := &p.nodes[i]
		longest = max(longest, pace.Time(n.load(n.at(positions))))
	}
	return longest
}

// load is a node as part of a submission.
func (n *node) load(c Cost) vk.Load { return vk.Load{Calls: 1, Bytes: c.Bytes, Flops: c.Flops} }

// Cost is what one run moves and computes at the least, for all tokens it is planned for. positions are
// the tokens that sequences have before the pass, by row of the state; without any it is what the
// program costs at the beginning of sequences.
func (p *Program) Cost(positions ...int64) Cost {
	var sum Cost
	for i := range p.nodes {
		sum = sum.plus(p.nodes[i].at(positions), 1)
	}
	return sum
}
