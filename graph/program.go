package graph

import (
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
	device   *vk.Device
	commands []*vk.Commands
	nodes    []node
	timed    bool
}

// burst bounds the work of one submission in floating point operations: drivers of integrated GPUs
// give a device up for lost when one submission holds it for seconds.
const burst = 200e9

// Record writes the program into command buffers. Close gives them back.
func (p *Program) Record(s Spans) (*Recording, error) { return p.record(s, false) }

// RecordTimed is Record with a time stamp after every kernel and a barrier between all of them, so
// that each is timed alone.
func (p *Program) RecordTimed(s Spans) (*Recording, error) { return p.record(s, true) }

func (p *Program) record(s Spans, timed bool) (*Recording, error) {
	if s.Arena.Size < p.arena {
		return nil, fmt.Errorf("arena: %d bytes, the program needs %d", s.Arena.Size, p.arena)
	}
	r := &Recording{device: p.device, nodes: p.nodes, timed: timed}
	var flops int64
	for i := range p.nodes {
		n := &p.nodes[i]
		if len(r.commands) == 0 || flops+n.cost.Flops > burst && !timed {
			flops = 0
			if err := r.next(); err != nil {
				r.Close()
				return nil, err
			}
		}
		flops += n.cost.Flops
		if err := r.add(n, s); err != nil {
			r.Close()
			return nil, err
		}
	}
	return r, r.end()
}

// next begins another command buffer.
func (r *Recording) next() error {
	if err := r.end(); err != nil {
		return err
	}
	c, err := r.device.NewCommands()
	if err != nil {
		return err
	}
	r.commands = append(r.commands, c)
	if r.timed {
		c.Timestamp()
	}
	return nil
}

func (r *Recording) end() error {
	if len(r.commands) == 0 {
		return nil
	}
	return r.commands[len(r.commands)-1].End()
}

func (r *Recording) add(n *node, s Spans) error {
	c := r.commands[len(r.commands)-1]
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

// Submit starts the program; the Pending is done when all of it is.
func (r *Recording) Submit() (vk.Pending, error) { return Submit(r) }

// Submit starts programs of one device, one after another, and the Pending is done when all are; nil ones
// are left out. Those of one command buffer each go to the device in one submission.
func Submit(rs ...*Recording) (last vk.Pending, err error) {
	var lists [4]*vk.Commands
	var device *vk.Device
	n := 0
	for _, r := range rs {
		if r == nil {
			continue
		}
		device = r.device
		for _, c := range r.commands {
			// A long program was cut so that no submission holds the device for seconds.
			if n == len(lists) || n > 0 && len(r.commands) > 1 {
				if last, err = device.Submit(lists[:n]...); err != nil {
					return last, err
				}
				n = 0
			}
			lists[n] = c
			n++
		}
	}
	if n > 0 {
		last, err = device.Submit(lists[:n]...)
	}
	return last, err
}

// Run starts the program and waits for its end.
func (r *Recording) Run() error { return Run(r) }

// Run is Submit and waits for the end, if there is a program.
func Run(rs ...*Recording) error {
	pending, err := Submit(rs...)
	if err != nil || pending == (vk.Pending{}) {
		return err
	}
	return pending.Wait()
}

// OpTime is the time of all calls of one op in a run.
type OpTime struct {
	Op    string
	Calls int
	Time  time.Duration
	Cost
}

// Times returns what each op took in the last run of a timed recording, in order of first call.
func (r *Recording) Times() ([]OpTime, error) {
	if !r.timed {
		return nil, fmt.Errorf("the recording has no time stamps")
	}
	var ops []OpTime
	index := map[string]int{}
	for _, c := range r.commands {
		stamps, err := c.Timestamps()
		if err != nil {
			return nil, err
		}
		for i, n := range r.nodes {
			at, ok := index[n.op]
			if !ok {
				at = len(ops)
				index[n.op] = at
				ops = append(ops, OpTime{Op: n.op})
			}
			ops[at].Calls++
			ops[at].Time += stamps[i+1] - stamps[i]
			ops[at].Bytes += n.cost.Bytes
			ops[at].Flops += n.cost.Flops
		}
	}
	return ops, nil
}

// Close gives the command buffers back. The program must not be running.
func (r *Recording) Close() {
	for _, c := range r.commands {
		c.Close()
	}
	r.commands = nil
}
