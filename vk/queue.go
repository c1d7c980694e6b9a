package vk

/*
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	vulkan "github.com/goki/vulkan"
)

// queue tracks what was submitted. Fences are recycled.
//
// Locks nest in this order: Device.mu, submission.mu, queue.fences.
type queue struct {
	inflight []*submission // oldest first; guarded by Device.mu

	fences struct {
		sync.Mutex
		free, dead []vulkan.Fence // dead: of a lost device, never signalled
	}
}

// submission is one vkQueueSubmit.
type submission struct {
	done  atomic.Bool
	mu    sync.Mutex // held while waiting
	fence vulkan.Fence
	err   error // set before done
}

// submit sends command buffers to the queue. The caller holds d.mu.
func (q *queue) submit(d *Device, cbs []vulkan.CommandBuffer) (*submission, error) {
	q.poll(d)
	fence, err := q.newFence(d)
	if err != nil {
		return nil, err
	}
	list := make([]C.VkCommandBuffer, len(cbs))
	for i, cb := range cbs {
		list[i] = cast[C.VkCommandBuffer](cb)
	}
	r := C.mmr_submit(d.table, &list[0], C.uint32_t(len(list)), cast[C.VkFence](fence))
	if err := failed("vkQueueSubmit", int32(r)); err != nil {
		q.recycle(fence, errors.Is(err, ErrDeviceLost))
		return nil, err
	}
	s := &submission{fence: fence}
	q.inflight = append(q.inflight, s)
	return s, nil
}

// newFence returns an unsignalled fence.
func (q *queue) newFence(d *Device) (vulkan.Fence, error) {
	q.fences.Lock()
	defer q.fences.Unlock()
	if n := len(q.fences.free); n > 0 {
		f := q.fences.free[n-1]
		if err := failed("vkResetFences", vulkan.ResetFences(d.handle, 1, []vulkan.Fence{f})); err != nil {
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
			if r := vulkan.GetFenceStatus(d.handle, s.fence); r != vulkan.NotReady {
				s.finish(d, failed("vkGetFenceStatus", r))
			}
			s.mu.Unlock()
		}
		if !s.done.Load() {
			break
		}
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

// wait blocks until the submission has finished; a nil submission has.
func (s *submission) wait(d *Device) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done.Load() {
		return s.err
	}
	r := vulkan.WaitForFences(d.handle, 1, []vulkan.Fence{s.fence}, vulkan.True, math.MaxUint64)
	s.finish(d, failed("vkWaitForFences", r))
	return s.err
}

// drain waits for everything submitted so far. The caller holds d.mu.
func (q *queue) drain(d *Device) error {
	var err error
	if n := len(q.inflight); n > 0 { // a fence also covers what was submitted before it
		err = q.inflight[n-1].wait(d)
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
	s *submission
}

// Submit sends ended command lists to the device, in order, and does not wait. Several submissions
// may be under way. Errors: ErrDeviceLost, ErrOutOfMemory, ErrValidation, ErrClosed.
func (d *Device) Submit(cs ...*Commands) (Pending, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.usable(); err != nil {
		return Pending{}, err
	}
	if len(cs) == 0 {
		return Pending{}, fmt.Errorf("submit: no command lists")
	}
	cbs := make([]vulkan.CommandBuffer, len(cs))
	for i, c := range cs {
		if err := c.ready(d); err != nil {
			return Pending{}, fmt.Errorf("submit: command list %d: %w", i, err)
		}
		cbs[i] = c.cb
	}
	if err := d.flushFills(); err != nil {
		return Pending{}, err
	}
	s, err := d.queue.submit(d, cbs)
	if err != nil {
		return Pending{}, errors.Join(err, d.said())
	}
	for _, c := range cs {
		c.last = s
	}
	return Pending{d, s}, d.said()
}

// Wait blocks until the submission has finished. It may be called any number of times. Errors:
// ErrDeviceLost, ErrValidation.
func (p Pending) Wait() error {
	if p.s == nil {
		return fmt.Errorf("wait: nothing was submitted")
	}
	if err := p.s.wait(p.d); err != nil {
		return err
	}
	return p.d.said()
}
