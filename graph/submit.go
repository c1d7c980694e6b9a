package graph

import (
	"time"

	"github.com/mmrun/mmrun/vk"
)

// A piece is a command buffer of a program. It is so short that no device is held by one alone, as
// far as a program can be cut: between kernels.
type piece struct {
	*vk.Commands
	nodes []node
	load  vk.Load // at the beginning of sequences
	grows bool    // with them
}

// pieceTime bounds a piece, by what is assumed of a device that nothing is known of.
const pieceTime = 100 * time.Millisecond

// at is the load with the given number of tokens before the pass, by row of the state.
func (p *piece) at(positions []int64) vk.Load {
	if !p.grows || len(positions) == 0 {
		return p.load
	}
	var sum vk.Load
	for i := range p.nodes {
		n := &p.nodes[i]
		sum = sum.Add(n.load(n.at(positions)))
	}
	return sum
}

// At says how many tokens sequences have before the pass in the next runs, by row of the state: what the
// program costs may depend on it. One goroutine at a time may say so and submit.
func (r *Recording) At(positions ...int64) *Recording {
	r.positions = append(r.positions[:0], positions...)
	return r
}

// A cutter goes through programs and takes as many pieces of them at a time as a submission may have.
type cutter struct {
	pace     vk.Pace
	programs []*Recording
	piece    int // of the first program, the next one
}

// next adds the pieces of the next submission to lists, none when all are through: as many as the
// device is thought to be done with in the target's time, at least so many.
func (c *cutter) next(lists []*vk.Commands, least int) ([]*vk.Commands, vk.Load) {
	var all vk.Load
	for len(c.programs) > 0 {
		r := c.programs[0]
		if r == nil || c.piece == len(r.pieces) {
			c.programs, c.piece = c.programs[1:], 0
			continue
		}
		p := &r.pieces[c.piece]
		more := all.Add(p.at(r.positions))
		if len(lists) >= least && c.pace.Time(more) > c.pace.Target {
			break
		}
		lists, all = append(lists, p.Commands), more
		c.piece++
	}
	return lists, all
}

// Submit starts the program; the Pending is done when all of it is.
func (r *Recording) Submit() (vk.Pending, error) { return Submit(r) }

// Submit starts programs of one device, one after another, and the Pending is done when all are; nil ones
// are left out. They go to the device in one submission, unless that would take the device longer than
// the target of its pace, by what was measured of earlier ones.
func Submit(rs ...*Recording) (last vk.Pending, err error) {
	var room [64]*vk.Commands // so that short programs take nothing of the heap
	c := cutter{programs: rs}
	for len(c.programs) > 0 && c.programs[0] == nil {
		c.programs = c.programs[1:]
	}
	if len(c.programs) == 0 {
		return last, nil
	}
	device := c.programs[0].device
	c.pace = device.Pace()
	for {
		lists, load := c.next(room[:0], 1)
		if len(lists) == 0 {
			return last, nil
		}
		if last, err = device.SubmitLoad(load, lists...); err != nil {
			return last, err
		}
	}
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

// Slices are programs that go to the device bit by bit, so that other work comes between.
type Slices struct{ c cutter }

// Slice makes slices of programs of one device, one after another; nil ones are left out.
func Slice(rs ...*Recording) *Slices {
	s := &Slices{}
	for _, r := range rs {
		if r != nil && len(r.pieces) > 0 {
			s.c.programs = append(s.c.programs, r)
		}
	}
	return s
}

// Done says whether all is submitted.
func (s *Slices) Done() bool { return len(s.c.programs) == 0 }

// Next submits what the device is thought to do within a time, at least so many pieces of what is left, and returns
// how long it is thought to take: nothing when nothing was submitted.
func (s *Slices) Next(within time.Duration, least int) (vk.Pending, time.Duration, error) {
	if s.Done() {
		return vk.Pending{}, 0, nil
	}
	var room [64]*vk.Commands
	device := s.c.programs[0].device
	s.c.pace = device.Pace()
	s.c.pace.Target = min(s.c.pace.Target, within)
	lists, load := s.c.next(room[:0], least)
	if len(lists) == 0 {
		return vk.Pending{}, 0, nil
	}
	for len(s.c.programs) > 0 && s.c.piece == len(s.c.programs[0].pieces) {
		s.c.programs, s.c.piece = s.c.programs[1:], 0
	}
	pending, err := device.SubmitLoad(load, lists...)
	return pending, s.c.pace.Time(load), err
}
