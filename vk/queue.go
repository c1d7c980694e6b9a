package vk

/*
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	vulkan "github.com/goki/vulkan"
)

// queue tracks what was submitted. Fences and submissions are recycled, so that a token's step takes
// nothing from Go's heap.
//
// Locks nest in this order: Device.mu, submission.mu and that of the one before, queue.fences, queue.pace.
type queue struct {
	inflight  []*submission       // oldest first; guarded by Device.mu, as are the next four
	ended     *submission         // the last that left inflight: the one after it may still ask when that was
	spare     []*submission       // ended well, and nobody asks
	list      []C.VkCommandBuffer // reused
	submitted int64

	fences struct {
		sync.Mutex
		free, dead []vulkan.Fence // dead: of a lost device, never signalled
	}
	pace struct {
		sync.Mutex
		Pace
		longest time.Duration
	}
}

// submission is one vkQueueSubmit, and after it has ended well another one.
type submission struct {
	done  atomic.Bool
	mu    sync.Mutex // held while waiting; guards what follows
	turn  uint64     // how many it was before
	fence vulkan.Fence
	err   error // set before done

	load   Load      // none of what is not measured
	before ticket    // that the device may have been busy with when this one was sent, or none
	sent   time.Time // to the queue
	ended  time.Time // zero when nobody waited for it
}

// ticket is one turn of a submission. The zero ticket is of none.
type ticket struct {
	s    *submission
	turn uint64
}

// submit sends command buffers to the queue. The caller holds d.mu.
func (q *queue) submit(d *Device, cbs ...vulkan.CommandBuffer) (ticket, error) {
	q.list = q.list[:0]
	for _, cb := range cbs {
		q.list = append(q.list, cast[C.VkCommandBuffer](cb))
	}
	return q.submitList(d, Load{})
}

// submitList sends what is in q.list. The caller holds d.mu.
func (q *queue) submitList(d *Device, load Load) (ticket, error) {
	q.poll(d)
	fence, err := q.newFence(d)
	if err != nil {
		return ticket{}, err
	}
	r := C.mmr_submit(d.table, unsafe.SliceData(q.list), C.uint32_t(len(q.list)), cast[C.VkFence](fence))
	if err := failed("vkQueueSubmit", int32(r)); err != nil {
		q.recycle(fence, errors.Is(err, ErrDeviceLost))
		return ticket{}, err
	}
	q.submitted++
	var s *submission
	if n := len(q.spare); n > 0 {
		s, q.spare = q.spare[n-1], q.spare[:n-1]
	} else {
		s = &submission{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn++
	s.fence = fence
	s.load, s.before, s.sent, s.ended = load, ticket{}, time.Now(), time.Time{}
	if n := len(q.inflight); n > 0 {
		b := q.inflight[n-1] // its turn changes only after it has left the list
		s.before = ticket{b, b.turn}
	}
	s.done.Store(false)
	q.inflight = append(q.inflight, s)
	return ticket{s, s.turn}, nil
}

// newFence returns an unsignalled fence.
func (q *queue) newFence(d *Device) (vulkan.Fence, error) {
	q.fences.Lock()
	defer q.fences.Unlock()
	if n := len(q.fences.free); n > 0 {
		f := q.fences.free[n-1]
		if err := failed("vkResetFences", int32(C.mmr_reset(d.table, cast[C.VkFence](f)))); err != nil {
			return nil, err
		}
		q.fences.free = q.fences.free[:n-1]
		return f, nil
	}
	info := vulkan.FenceCreateInfo{SType: vulkan.StructureTypeFenceCreateInfo}
	defer info.Free()
	var f vulkan.Fence
	if err := failed("vkCreateFence", vulkan.CreateFence(d.handle, &info, nil, &f)); err != nil {
		return nil, err
	}
	d.counts.add(fenceHandle, 1)
	return f, nil
}

func (q *queue) recycle(f vulkan.Fence, dead bool) {
	q.fences.Lock()
	defer q.fences.Unlock()
	if dead {
		q.fences.dead = append(q.fences.dead, f)
	} else {
		q.fences.free = append(q.fences.free, f)
	}
}

// poll forgets the oldest submissions as far as they are done. The caller holds d.mu.
func (q *queue) poll(d *Device) {
	n := 0
	for _, s := range q.inflight {
		if !s.done.Load() {
			if !s.mu.TryLock() { // somebody waits for it
				break
			}
			switch r := vulkan.GetFenceStatus(d.handle, s.fence); Result(r) {
			case success:
				s.finish(d, nil)
			case deviceLost:
				s.finish(d, d.lost(failed("vkGetFenceStatus", r)))
			}
			s.mu.Unlock()
		}
		if !s.done.Load() {
			break
		}
		if e := q.ended; e != nil && e.err == nil {
			q.spare = append(q.spare, e)
		}
		q.ended = s
		n++
	}
	q.inflight = append(q.inflight[:0], q.inflight[n:]...)
}

// finish records the outcome. The caller holds s.mu.
func (s *submission) finish(d *Device, err error) {
	if s.done.Load() {
		return
	}
	s.err = err
	d.queue.recycle(s.fence, err != nil)
	s.done.Store(true)
}

// wait blocks until the submission has finished; that of the zero ticket has.
func (t ticket) wait(d *Device) error {
	s := t.s
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turn != t.turn {
		return nil // only what ended well is used again
	}
	if !s.done.Load() {
		s.await(d)
	}
	return s.err
}

// await waits for the fence and measures how long the device took. The caller holds s.mu.
func (s *submission) await(d *Device) {
	began := s.sent
	if s.load != (Load{}) && s.before.s != nil {
		s.before.wait(d) // whose error this submission has too
		began = s.before.end()
	}
	from := time.Now()
	r := Result(C.mmr_wait(d.table, cast[C.VkFence](s.fence)))
	err := failed("vkWaitForFences", r)
	if r == timeout { // which may be no longer than the driver has patience
		err = &Error{"vkWaitForFences", r}
	}
	err = d.settle(s.fence, err)
	now := time.Now()
	s.finish(d, err)
	if err != nil || now.Sub(from) < blocks {
		return
	}
	s.ended = now
	if s.load != (Load{}) && !began.IsZero() {
		if began.Before(s.sent) {
			began = s.sent
		}
		d.queue.measured(s.load, now.Sub(began))
	}
}

// end is when the submission before one under way ended, the zero time when nobody knows.
func (t ticket) end() time.Time {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	return t.s.ended
}

// done reports whether the submission has been found to have finished; that of the zero ticket never is.
func (t ticket) done() bool {
	if t.s == nil {
		return false
	}
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	return t.s.turn != t.turn || t.s.done.Load()
}

// drain waits for everything submitted so far. The caller holds d.mu.
func (q *queue) drain(d *Device) error {
	var err error
	if n := len(q.inflight); n > 0 { // a fence also covers what was submitted before it
		s := q.inflight[n-1] // its turn changes only after it has left the list
		err = ticket{s, s.turn}.wait(d)
	}
	q.poll(d)
	return err
}

// destroy frees the fences of an idle device.
func (q *queue) destroy(d *Device) {
	for _, s := range q.inflight {
		s.mu.Lock()
		s.finish(d, nil)
		s.mu.Unlock()
	}
	q.inflight = nil
	q.fences.Lock()
	defer q.fences.Unlock()
	for _, f := range append(q.fences.free, q.fences.dead...) {
		vulkan.DestroyFence(d.handle, f, nil)
		d.counts.add(fenceHandle, -1)
	}
	q.fences.free, q.fences.dead = nil, nil
}

// Pending is a submission under way.
type Pending struct {
	d *Device
	ticket
}

// Submit sends ended command lists to the device, in order, and does not wait. Several submissions
// may be under way. Errors: ErrDeviceLost, ErrOutOfMemory, ErrValidation, ErrClosed.
func (d *Device) Submit(cs ...*Commands) (Pending, error) { return d.SubmitLoad(Load{}, cs...) }

// SubmitLoad is Submit of lists of which the load is known. When somebody waits for its end, how long it
// took goes into the device's pace and Stats.
func (d *Device) SubmitLoad(load Load, cs ...*Commands) (Pending, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.usable(); err != nil {
		return Pending{}, err
	}
	if len(cs) == 0 {
		return Pending{}, fmt.Errorf("submit: no command lists")
	}
	if err := d.flushFills(); err != nil {
		return Pending{}, err
	}
	d.queue.list = d.queue.list[:0]
	for i, c := range cs {
		if err := c.ready(d); err != nil {
			return Pending{}, fmt.Errorf("submit: command list %d: %w", i, err)
		}
		d.queue.list = append(d.queue.list, cast[C.VkCommandBuffer](c.cb))
	}
	last, err := d.queue.submitList(d, load)
	if err != nil {
		return Pending{}, errors.Join(err, d.said())
	}
	for _, c := range cs {
		c.last = last
	}
	return Pending{d, last}, d.said()
}

// Wait blocks until the submission has finished. It may be called any number of times. Errors:
// ErrDeviceLost, ErrValidation.
func (p Pending) Wait() error {
	if p.s == nil {
		return fmt.Errorf("wait: nothing was submitted")
	}
	if err := p.wait(p.d); err != nil {
		return err
	}
	return p.d.said()
}
