package grammar

import (
	"container/heap"
	"fmt"
	"math"
)

// never is the need of a state from which its rule cannot end.
const never = math.MaxInt32

// way is how a state may be reached backwards: from has a way through it.
type way struct {
	from int32
	call int // of from's calls, or one of these
}

const (
	plainWay = -1 // eps, edges, tokens
	countWay = -2 // its counter
)

// ways lists for every state those that lead to it, or call what begins there.
func (g *Grammar) ways() [][]way {
	back := make([][]way, len(g.states))
	for i := range g.states {
		s, from := &g.states[i], int32(i)
		add := func(to int32, call int) { back[to] = append(back[to], way{from, call}) }
		for _, to := range s.eps {
			add(to, plainWay)
		}
		for _, e := range s.edges {
			add(e.to, plainWay)
		}
		for _, t := range s.tokens {
			add(t.to, plainWay)
		}
		for j, c := range s.calls {
			add(c.start, j)
			add(c.ret, j)
		}
		if n := s.count; n != nil {
			add(n.body, countWay)
			add(n.exit, countWay)
		}
	}
	return back
}

// reached are states by their need, the least first.
type reached []struct{ state, need int32 }

func (r reached) Len() int           { return len(r) }
func (r reached) Less(i, j int) bool { return r[i].need < r[j].need }
func (r reached) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *reached) Push(x any)        { *r = append(*r, x.(struct{ state, need int32 })) }
func (r *reached) Pop() any {
	last := (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	return last
}

// findNeed finds how many calls each state takes at least until its rule has ended, as Knuth's generalization of
// Dijkstra's algorithm does: every state is settled once, the least first.
func (g *Grammar) findNeed() {
	back := g.ways()
	g.need = make([]int32, len(g.states))
	var open reached
	for i := range g.states {
		g.need[i] = never
		if g.states[i].final {
			open = append(open, struct{ state, need int32 }{int32(i), 0})
		}
	}
	for len(open) > 0 {
		next := heap.Pop(&open).(struct{ state, need int32 })
		if g.need[next.state] != never {
			continue
		}
		g.need[next.state] = next.need
		for _, w := range back[next.state] {
			if g.need[w.from] != never {
				continue
			}
			if need := g.needBy(w); need != never {
				heap.Push(&open, struct{ state, need int32 }{w.from, max(need, next.need)})
			}
		}
	}
}

// needBy is the need of a state by one of its ways, as far as it is known.
func (g *Grammar) needBy(w way) int32 {
	s := &g.states[w.from]
	switch {
	case w.call >= 0:
		return g.callNeed(s.calls[w.call])
	case w.call == plainWay:
		return 0 // that of the state it leads to, which was settled just now
	}
	exit, body := g.need[s.count.exit], g.need[s.count.body]
	if exit == never || s.count.min > 0 && body == never {
		return never
	}
	if s.count.min == 0 {
		return exit
	}
	return max(exit, body+1)
}

// callNeed is how many calls one takes that goes on at its end.
func (g *Grammar) callNeed(c invocation) int32 {
	start, ret := g.need[c.start], g.need[c.ret]
	switch {
	case start == never || ret == never:
		return never
	case g.states[c.ret].passes:
		return start
	}
	return max(start+1, ret)
}

// findEmpty finds the states that can end their rule without reading anything.
func (g *Grammar) findEmpty() []bool {
	back := g.ways()
	empty := make([]bool, len(g.states))
	var open []int32
	mark := func(s int32) {
		if !empty[s] {
			empty[s] = true
			open = append(open, s)
		}
	}
	for i := range g.states {
		if g.states[i].final {
			mark(int32(i))
		}
	}
	for len(open) > 0 {
		at := open[len(open)-1]
		open = open[:len(open)-1]
		for _, w := range back[at] {
			if g.emptyBy(w, at, empty) {
				mark(w.from)
			}
		}
	}
	return empty
}

// emptyBy says whether a way from a state to one that can end its rule reads nothing.
func (g *Grammar) emptyBy(w way, to int32, empty []bool) bool {
	s := &g.states[w.from]
	switch {
	case w.call >= 0:
		c := s.calls[w.call]
		return empty[c.start] && empty[c.ret]
	case w.call == countWay:
		return empty[s.count.exit] && (s.count.min == 0 || empty[s.count.body])
	}
	for _, e := range s.eps {
		if e == to {
			return true
		}
	}
	return false
}

// noLeftRecursion finds rules that begin with themselves, and counters whose body may be empty: those need not count
// up to their least.
func (g *Grammar) noLeftRecursion() error {
	empty := g.findEmpty()
	for i := range g.states {
		if n := g.states[i].count; n != nil && empty[n.body] {
			n.min = 0
		}
	}
	groups := g.groups(empty)
	for i := range g.states {
		for _, c := range g.states[i].calls {
			if groups[i] == groups[c.start] {
				return fmt.Errorf("rule %q begins with itself (left recursion)", g.ruleOf(c.start))
			}
		}
	}
	return nil
}

// ruleOf is the name of the rule that begins at a state.
func (g *Grammar) ruleOf(start int32) string {
	for i, s := range g.starts {
		if s == start {
			return g.names[i]
		}
	}
	return ""
}

// ahead lists the states that may be reached from one without reading.
func (g *Grammar) ahead(at int32, empty []bool) []int32 {
	s := &g.states[at]
	out := append([]int32(nil), s.eps...)
	for _, c := range s.calls {
		out = append(out, c.start)
		if empty[c.start] {
			out = append(out, c.ret)
		}
	}
	if n := s.count; n != nil {
		out = append(out, n.body)
		if n.min == 0 {
			out = append(out, n.exit)
		}
	}
	return out
}

// groups numbers the states so that those have the same number that reach one another without reading (Tarjan's
// algorithm).
func (g *Grammar) groups(empty []bool) []int32 {
	n := len(g.states)
	group, index, low := make([]int32, n), make([]int32, n), make([]int32, n)
	type frame struct {
		at   int32
		next []int32
	}
	var stack []int32 // of states without a group
	seen, found := int32(0), int32(0)
	for root := range n {
		if index[root] != 0 {
			continue
		}
		var frames []frame
		enter := func(at int32) {
			seen++
			index[at], low[at] = seen, seen
			stack = append(stack, at)
			frames = append(frames, frame{at, g.ahead(at, empty)})
		}
		enter(int32(root))
		for len(frames) > 0 {
			f := &frames[len(frames)-1]
			if len(f.next) > 0 {
				to := f.next[0]
				f.next = f.next[1:]
				if index[to] == 0 {
					enter(to)
				} else if group[to] == 0 {
					low[f.at] = min(low[f.at], index[to])
				}
				continue
			}
			at := f.at
			frames = frames[:len(frames)-1]
			if len(frames) > 0 {
				up := frames[len(frames)-1].at
				low[up] = min(low[up], low[at])
			}
			if low[at] != index[at] {
				continue
			}
			for found++; ; {
				last := stack[len(stack)-1]
				stack = stack[:len(stack)-1]
				group[last] = found
				if last == at {
					break
				}
			}
		}
	}
	return group
}

// findClasses puts bytes into one class that no state tells apart.
func (g *Grammar) findClasses() {
	var border [257]bool
	for i := range g.states {
		for _, e := range g.states[i].edges {
			border[e.lo], border[int(e.hi)+1] = true, true
		}
		g.tokens = g.tokens || len(g.states[i].tokens) > 0
	}
	border[0] = true
	for b := range 256 {
		if border[b] {
			g.bytes = append(g.bytes, byte(b))
		}
		g.classes[b] = uint8(len(g.bytes) - 1)
	}
}
