package grammar

import (
	"fmt"
)

// state is one of the machine. It goes on by any of its ways.
type state struct {
	eps    []int32 // without reading
	edges  []edge  // by a byte
	calls  []invocation
	tokens []tokenEdge
	count  *counter
	final  bool // its rule ends
	passes bool // its rule ends, and nothing else can come
}

type edge struct {
	lo, hi byte
	to     int32
}

// invocation reads a rule, and goes on at ret.
type invocation struct{ start, ret int32 }

type tokenEdge struct {
	tokenName
	to int32
}

// counter makes a state one that repeats what begins at body, itself a rule: from min to max times, then it goes on
// at exit.
type counter struct {
	body, exit int32
	min, max   int
}

// compiler makes the machine.
type compiler struct {
	rules  *rules
	states []state
	starts []int32
	shared map[edge]int32 // states that have this edge alone
	size   int            // edges, of all kinds
}

// compile makes a grammar of rules.
func compile(r *rules, root int32) (*Grammar, error) {
	c := &compiler{rules: r, shared: map[edge]int32{}}
	// The root comes first: its start is state 0.
	order := append([]int32{root}, make([]int32, 0, len(r.bodies))...)
	for i := range r.bodies {
		if int32(i) != root {
			order = append(order, int32(i))
		}
	}
	c.starts = make([]int32, len(r.bodies))
	for _, i := range order {
		c.starts[i] = c.state()
	}
	for _, i := range order {
		if err := c.body(r.bodies[i], c.starts[i]); err != nil {
			return nil, err
		}
	}
	c.findPassing()
	g := &Grammar{states: c.states, starts: c.starts, names: r.names}
	if err := g.noLeftRecursion(); err != nil {
		return nil, err
	}
	g.findNeed()
	switch need := g.need[0]; {
	case need == never:
		return nil, errNothing
	case need > MaxDepth:
		return nil, tooLarge(fmt.Sprintf("every text nests %d rules, at most %d", need, MaxDepth))
	}
	g.findClasses()
	return g, nil
}

// errNothing is the error of a grammar that no text meets.
var errNothing = fmt.Errorf("no text can meet it")

func (c *compiler) state() int32 {
	c.states = append(c.states, state{})
	return int32(len(c.states) - 1)
}

// end is a new state that ends its rule.
func (c *compiler) end() int32 {
	s := c.state()
	c.states[s].final = true
	return s
}

// body builds a rule that begins at start.
func (c *compiler) body(e *expr, start int32) error { return c.build(e, start, c.end()) }

// grow counts what was built.
func (c *compiler) grow(n int) error {
	if c.size += n; c.size > 2*maxStates || len(c.states) > maxStates {
		return tooLarge(fmt.Sprintf("more than %d states", maxStates))
	}
	return nil
}

func (c *compiler) eps(from, to int32) { c.states[from].eps = append(c.states[from].eps, to) }

// build makes the ways of an expression between two states. It adds none that lead to from or away from to.
func (c *compiler) build(e *expr, from, to int32) error {
	if err := c.grow(1); err != nil {
		return err
	}
	switch e.op {
	case opSeq:
		return c.sequence(e.subs, from, to)
	case opAlt:
		for _, sub := range e.subs {
			if err := c.build(sub, from, to); err != nil {
				return err
			}
		}
	case opText:
		return c.literal(e.text, from, to)
	case opRunes:
		return c.characters(e.set, from, to)
	case opRepeat:
		return c.repetition(e, from, to)
	case opRule:
		c.states[from].calls = append(c.states[from].calls, invocation{c.starts[e.rule], to})
	case opToken:
		c.states[from].tokens = append(c.states[from].tokens, tokenEdge{e.token, to})
	case opGraph:
		return c.graphOf(e.graph, from, to)
	}
	return nil
}

func (c *compiler) sequence(subs []*expr, from, to int32) error {
	if len(subs) == 0 {
		c.eps(from, to)
		return nil
	}
	for i, sub := range subs {
		next := to
		if i < len(subs)-1 {
			next = c.state()
		}
		if err := c.build(sub, from, next); err != nil {
			return err
		}
		from = next
	}
	return nil
}

func (c *compiler) literal(s string, from, to int32) error {
	if s == "" {
		c.eps(from, to)
		return nil
	}
	if err := c.grow(len(s)); err != nil {
		return err
	}
	for i := range len(s) {
		next := to
		if i < len(s)-1 {
			next = c.state()
		}
		c.states[from].edges = append(c.states[from].edges, edge{s[i], s[i], next})
		from = next
	}
	return nil
}

// characters builds one character of a set.
func (c *compiler) characters(set runeSet, from, to int32) error {
	for _, r := range set {
		utf8Ranges(r.lo, r.hi, func(row []byteRange) {
			next := to
			for i := len(row) - 1; i > 0; i-- {
				next = c.share(edge{row[i].lo, row[i].hi, next})
			}
			c.states[from].edges = append(c.states[from].edges, edge{row[0].lo, row[0].hi, next})
			c.size++
		})
		if err := c.grow(0); err != nil {
			return err
		}
	}
	return nil
}

// share is a state that has an edge alone.
func (c *compiler) share(e edge) int32 {
	if s, ok := c.shared[e]; ok {
		return s
	}
	s := c.state()
	c.states[s].edges = []edge{e}
	c.shared[e] = s
	return s
}

// few is up to how many times a repetition of something small is written out: that has fewer places than a count.
const few = 24

// repetition builds a repetition: as a loop, written out, or with a count that stands on the stack.
func (c *compiler) repetition(e *expr, from, to int32) error {
	body := e.subs[0]
	small := body.op == opRunes || body.op == opText && len(body.text) < 4
	switch {
	case e.max == 0:
		c.eps(from, to)
		return nil
	case e.max == unlimited && e.min <= 1:
		first, last := c.state(), c.state()
		c.eps(from, first)
		c.eps(last, first)
		c.eps(last, to)
		if e.min == 0 {
			c.eps(from, to)
		}
		return c.build(body, first, last)
	case e.min == 0 && e.max == 1:
		c.eps(from, to)
		return c.build(body, from, to)
	case e.min == 1 && e.max == 1:
		return c.build(body, from, to)
	case e.max != unlimited && e.max <= few && small:
		return c.writtenOut(e, from, to)
	}
	start := c.state()
	if err := c.body(body, start); err != nil {
		return err
	}
	at := c.state()
	c.states[at].count = &counter{body: start, exit: to, min: e.min, max: e.max}
	c.eps(from, at)
	return nil
}

func (c *compiler) writtenOut(e *expr, from, to int32) error {
	for i := range e.max {
		if i >= e.min {
			c.eps(from, to)
		}
		next := to
		if i < e.max-1 {
			next = c.state()
		}
		if err := c.build(e.subs[0], from, next); err != nil {
			return err
		}
		from = next
	}
	return nil
}

// graphOf builds a graph: its nodes become states.
func (c *compiler) graphOf(links []link, from, to int32) error {
	nodes := map[int]int32{}
	node := func(i int) int32 {
		if _, ok := nodes[i]; !ok {
			nodes[i] = c.state()
		}
		return nodes[i]
	}
	c.eps(from, node(0))
	c.eps(node(1), to)
	for _, l := range links {
		if err := c.build(l.label, node(l.from), node(l.to)); err != nil {
			return err
		}
	}
	return nil
}

// findPassing finds the states after which a rule ends for sure: a call that goes on at one of them needs no place to
// come back to.
func (c *compiler) findPassing() {
	const unknown, under, yes, no = 0, 1, 2, 3
	known := make([]uint8, len(c.states))
	for i := range c.states {
		var way []int32
		result := uint8(unknown)
		for at := int32(i); ; at = c.states[at].eps[0] {
			s := &c.states[at]
			if known[at] != unknown {
				result = known[at]
				break
			}
			known[at] = under
			way = append(way, at)
			bare := len(s.edges)+len(s.calls)+len(s.tokens) == 0 && s.count == nil
			if bare && s.final && len(s.eps) == 0 {
				result = yes
				break
			}
			if !bare || s.final || len(s.eps) != 1 {
				result = no
				break
			}
		}
		if result == under { // a circle
			result = no
		}
		for _, at := range way {
			known[at] = result
			c.states[at].passes = result == yes
		}
	}
}
