package graph

import (
	"errors"
	"fmt"
	"time"

	"github.com/mmrun/mmrun/vk"
)

// Spans says where a program finds what was not known when it was built.
type Spans struct {
	Arena vk.Span
	Slots map[string]vk.Span
}

// A Recording is a program in command buffers, bound to its memory, ready to run any number of times.
type Recording struct {
	device    *vk.Device
	pieces    []piece
	positions []int64 // see At
	timed     bool
}

// Record writes the program into command buffers. Close gives them back.
func (p *Program) Record(s Spans) (*Recording, error) { return p.record(s, pieceTime, false) }

// RecordFine is Record in pieces that a slow device does in so long a time, as far as a program can be cut: for one
// that is submitted by Slices.
func (p *Program) RecordFine(s Spans, most time.Duration) (*Recording, error) {
	return p.record(s, most, false)
}

// RecordTimed is Record with a time stamp after every kernel and a barrier between all of them, so
// that each is timed alone.
func (p *Program) RecordTimed(s Spans) (*Recording, error) { return p.record(s, pieceTime, true) }

func (p *Program) record(s Spans, most time.Duration, timed bool) (*Recording, error) {
	if s.Arena.Size < p.arena {
		return nil, fmt.Errorf("arena: %d bytes, the program needs %d", s.Arena.Size, p.arena)
	}
	r := &Recording{device: p.device, timed: timed}
	for _, nodes := range p.cut(most) {
		if err := r.record(nodes, s); err != nil {
			r.Close()
			return nil, err
		}
	}
	return r, nil
}

// cut parts the nodes where there is too much for a piece, when sequences are as long as they may be.
func (p *Program) cut(most time.Duration) (parts [][]node) {
	pace, first := vk.NewPace(vk.Other), 0
	var all vk.Load
	for i := range p.nodes {
		n := &p.nodes[i]
		load := n.load(n.cost.plus(n.growth.Each, n.growth.Most))
		if i > first && pace.Time(all.Add(load)) > most {
			parts, first, all = append(parts, p.nodes[first:i]), i, vk.Load{}
		}
		all = all.Add(load)
	}
	return append(parts, p.nodes[first:])
}

// record writes a piece.
func (r *Recording) record(nodes []node, s Spans) error {
	c, err := r.device.NewCommands()
	if err != nil {
		return err
	}
	p := piece{Commands: c, nodes: nodes}
	r.pieces = append(r.pieces, p)
	if r.timed {
		c.Timestamp()
	}
	for i := range nodes {
		n := &nodes[i]
		p.load = p.load.Add(n.load(n.cost))
		p.grows = p.grows || n.growth.Each != (Cost{})
		if err := r.add(c, n, s); err != nil {
			return err
		}
	}
	r.pieces[len(r.pieces)-1] = p
	return c.End()
}

func (r *Recording) add(c *vk.Commands, n *node, s Spans) error {
	spans := make([]vk.Span, len(n.args))
	for i, v := range n.args {
		var err error
		if spans[i], err = v.home.resolve(s); err != nil {
			return fmt.Errorf("%s: %w", n.op, err)
		}
	}
	if n.barrier || r.timed {
		c.Barrier()
	}
	if n.pipeline == nil {
		spans[0].Size = spans[1].Size
		c.Copy(spans[0], spans[1])
	} else {
		c.Dispatch(n.pipeline, spans, n.push, n.groups)
	}
	if r.timed {
		c.Timestamp()
	}
	return nil
}

func (h *home) resolve(s Spans) (vk.Span, error) {
	switch h.kind {
	case temporary:
		return vk.Span{Buffer: s.Arena.Buffer, Off: s.Arena.Off + h.offset, Size: h.size}, nil
	case constant:
		return h.span, nil
	}
	span, ok := s.Slots[h.name]
	if !ok {
		return vk.Span{}, fmt.Errorf("slot %s is not bound", h.name)
	}
	if h.offset+h.size > span.Size {
		return vk.Span{}, fmt.Errorf("slot %s has %d bytes, %d are needed", h.name, span.Size, h.offset+h.size)
	}
	if h.whole {
		return span, nil
	}
	return vk.Span{Buffer: span.Buffer, Off: span.Off + h.offset, Size: h.size}, nil
}

// OpTime is the time of all calls of one op in a run.
type OpTime struct {
	Op    string
	Calls int
	Time  time.Duration
	Cost
}

var errUntimed = errors.New("the recording has no time stamps")

// Times returns what each op took in the last run of a timed recording, in order of first call, and what
// it cost with as many tokens before the pass as At has said.
func (r *Recording) Times() ([]OpTime, error) {
	if !r.timed {
		return nil, errUntimed
	}
	return r.times(func(n *node) string { return n.op })
}

// Kernels is Times by the names of kernels, without copies.
func (r *Recording) Kernels() ([]OpTime, error) {
	if !r.timed {
		return nil, errUntimed
	}
	return r.times(func(n *node) string {
		if n.pipeline == nil {
			return ""
		}
		return n.pipeline.Name()
	})
}

// times adds up the nodes that have the same name, and leaves out those without.
func (r *Recording) times(name func(n *node) string) ([]OpTime, error) {
	var ops []OpTime
	index := map[string]int{}
	for _, p := range r.pieces {
		stamps, err := p.Timestamps()
		if err != nil {
			return nil, err
		}
		for i := range p.nodes {
			n := &p.nodes[i]
			op := name(n)
			if op == "" {
				continue
			}
			at, ok := index[op]
			if !ok {
				at = len(ops)
				index[op] = at
				ops = append(ops, OpTime{Op: op})
			}
			ops[at].Calls++
			ops[at].Time += stamps[i+1] - stamps[i]
			ops[at].Cost = ops[at].plus(n.at(r.positions), 1)
		}
	}
	return ops, nil
}

// Close gives the command buffers back. The program must not be running.
func (r *Recording) Close() {
	for _, p := range r.pieces {
		p.Close()
	}
	r.pieces = nil
}
