package vk

/*
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"

	vulkan "github.com/goki/vulkan"
)

const (
	ringSlots = 4
	slotBytes = 4 << 20
)

// transfers moves bytes between Go and buffers, and fills new buffers with zeros.
type transfers struct {
	pool  vulkan.CommandPool // made at first use, as are fill and ring
	fills []*Buffer          // zero-filled before the next use of any buffer
	fill  *slot
	ring  chan *slot // the slots nobody uses, the longest unused first
	slots []*slot    // all of the ring
	bytes int64      // of staging memory
}

// slot is a command buffer with its staging memory.
type slot struct {
	cb      vulkan.CommandBuffer
	staging *Buffer // nil for the one that fills
	last    ticket
}

// newSlot makes a slot, and the pool before the first. The caller holds d.mu.
func (d *Device) newSlot(bytes int64) (*slot, error) {
	t := &d.transfers
	if t.pool == nil {
		p, err := d.newCommandPool(vulkan.CommandPoolCreateFlags(vulkan.CommandPoolCreateResetCommandBufferBit))
		if err != nil {
			return nil, err
		}
		t.pool = p
	}
	cb, err := d.newCommandBuffer(t.pool)
	if err != nil {
		return nil, err
	}
	s := &slot{cb: cb}
	if bytes > 0 {
		if s.staging, err = d.newBuffer(bytes, HostVisible); err != nil {
			return nil, err // the command buffer stays with its pool
		}
		t.bytes += bytes
	}
	return s, nil
}

// openRing makes the staging ring at first use. The caller holds d.mu.
func (d *Device) openRing() error {
	t := &d.transfers
	for len(t.slots) < ringSlots {
		s, err := d.newSlot(slotBytes)
		if err != nil {
			return fmt.Errorf("staging ring: %w", err)
		}
		t.slots = append(t.slots, s)
	}
	if t.ring == nil {
		t.ring = make(chan *slot, ringSlots)
		for _, s := range t.slots {
			t.ring <- s
		}
	}
	return nil
}

// destroy frees pool and staging of an idle device.
func (t *transfers) destroy(d *Device) {
	for _, s := range t.slots {
		d.destroyBuffer(s.staging)
	}
	t.slots, t.bytes = nil, 0
	if t.pool != nil {
		vulkan.DestroyCommandPool(d.handle, t.pool, nil)
		d.counts.add(commandPoolHandle, -1)
		t.pool = nil
	}
}

// forget takes a buffer off the list of those to be zero-filled.
func (t *transfers) forget(b *Buffer) {
	b.zero = false
	for i, o := range t.fills {
		if o == b {
			t.fills = append(t.fills[:i], t.fills[i+1:]...)
			return
		}
	}
}

// run records into the slot's command buffer and submits it. The caller holds d.mu; the slot's
// earlier submission is done.
func (d *Device) run(s *slot, record func(cb vulkan.CommandBuffer)) error {
	info := vulkan.CommandBufferBeginInfo{
		SType: vulkan.StructureTypeCommandBufferBeginInfo,
		Flags: vulkan.CommandBufferUsageFlags(vulkan.CommandBufferUsageOneTimeSubmitBit),
	}
	defer info.Free()
	if err := failed("vkBeginCommandBuffer", vulkan.BeginCommandBuffer(s.cb, &info)); err != nil {
		return err
	}
	record(s.cb)
	if err := failed("vkEndCommandBuffer", vulkan.EndCommandBuffer(s.cb)); err != nil {
		return err
	}
	last, err := d.queue.submit(d, s.cb)
	if err != nil {
		return err
	}
	s.last = last
	return nil
}

// flushFills zero-fills the new buffers. Nothing has used them yet, and whatever comes next begins
// with a barrier, so none is needed here. The caller holds d.mu.
func (d *Device) flushFills() error {
	t := &d.transfers
	if len(t.fills) == 0 {
		return nil
	}
	if t.fill == nil {
		s, err := d.newSlot(0)
		if err != nil {
			return err
		}
		t.fill = s
	}
	if err := t.fill.last.wait(d); err != nil {
		return err
	}
	err := d.run(t.fill, func(cb vulkan.CommandBuffer) {
		for _, b := range t.fills {
			vulkan.CmdFillBuffer(cb, b.handle, 0, vulkan.DeviceSize((b.size+3)&^3), 0)
		}
	})
	if err != nil {
		return err
	}
	for _, b := range t.fills {
		b.zero = false
	}
	t.fills = t.fills[:0]
	return nil
}

// Upload fills dst in place where the host sees its memory, after everything submitted so far, and
// else through the staging ring, where the copies run behind the caller in queue order. fill is
// called for consecutive pieces: p is to be filled with what belongs at byte off of dst. Every piece is
// a multiple of align bytes (0 means 1) except the last, which ends at dst.Size. An error of fill ends
// the upload and is returned; what dst holds then is not defined. fill may use the device.
func (d *Device) Upload(dst Span, align int64, fill func(p []byte, off int64) error) error {
	align = max(align, 1)
	if align > slotBytes {
		return fmt.Errorf("upload: alignment %d is above the staging piece of %d", align, slotBytes)
	}
	piece := int64(slotBytes) / align * align
	whole, err := d.beginUpload(dst)
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	send := d.uploadPiece
	if dst.Buffer.memory() != nil {
		send = d.fillPiece
	}
	for off := int64(0); off < dst.Size && err == nil; off += piece {
		err = send(dst, off, min(piece, dst.Size-off), fill)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil && whole && !dst.Buffer.closed.Load() { // a new buffer must not show old memory
		dst.Buffer.zero = true
		d.transfers.fills = append(d.transfers.fills, dst.Buffer)
	}
	return errors.Join(err, d.said())
}

// beginUpload checks the span and makes the ring. whole reports that dst is all of a buffer that was
// still to be zero-filled, which the upload makes unnecessary.
func (d *Device) beginUpload(dst Span) (whole bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := errors.Join(d.usable(), dst.check(d)); err != nil {
		return false, err
	}
	seen := dst.Buffer.memory() != nil
	if !seen {
		if err := d.openRing(); err != nil {
			return false, err
		}
	}
	if b := dst.Buffer; b.zero && dst.Size == b.size {
		d.transfers.forget(b)
		return true, nil
	}
	if err := d.flushFills(); err != nil || !seen {
		return false, err
	}
	return false, d.queue.drain(d) // what was submitted may use it
}

// fillPiece has a piece filled in its place, which nothing on the device uses.
func (d *Device) fillPiece(dst Span, off, n int64, fill func(p []byte, off int64) error) error {
	d.mu.Lock()
	err := errors.Join(d.usable(), dst.check(d)) // fill may have closed them
	d.mu.Unlock()
	if err != nil {
		return err
	}
	at := dst.Off + off
	return fill(dst.Buffer.memory()[at:at+n:at+n], off)
}

// uploadPiece has a piece filled in staging memory and copied from there.
func (d *Device) uploadPiece(dst Span, off, n int64, fill func(p []byte, off int64) error) error {
	s := <-d.transfers.ring
	defer func() { d.transfers.ring <- s }()
	if err := s.last.wait(d); err != nil {
		return err
	}
	if err := fill(s.staging.Mapped()[:n:n], off); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := errors.Join(d.usable(), dst.check(d)); err != nil { // fill may have closed them
		return err
	}
	return d.run(s, func(cb vulkan.CommandBuffer) {
		if off == 0 {
			d.barrier(cb, barrierBegin)
		}
		C.mmr_copy(d.table, cast[C.VkCommandBuffer](cb), cast[C.VkBuffer](s.staging.handle), 0,
			cast[C.VkBuffer](dst.Buffer.handle), C.uint64_t(dst.Off+off), C.uint64_t(n))
	})
}

// Download copies src into dst, which must be as long, after everything submitted so far.
func (d *Device) Download(dst []byte, src Span) error {
	if int64(len(dst)) != src.Size {
		return fmt.Errorf("download: %d bytes of a buffer into %d bytes", src.Size, len(dst))
	}
	if err := d.beginDownload(src); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	if src.Buffer.where == HostVisible {
		d.mu.Lock()
		defer d.mu.Unlock()
		if err := d.queue.drain(d); err != nil {
			return err
		}
		copy(dst, src.Buffer.Mapped()[src.Off:])
		return d.said()
	}
	// One piece is copied out while the device fetches the next.
	var busy []piece
	finish := func() error {
		p := busy[0]
		busy = busy[1:]
		err := p.s.last.wait(d)
		if err == nil {
			copy(dst[p.off:p.off+p.n], p.s.staging.Mapped())
		}
		d.transfers.ring <- p.s
		return err
	}
	var err error
	for off := int64(0); off < src.Size && err == nil; off += slotBytes {
		p := piece{<-d.transfers.ring, off, min(slotBytes, src.Size-off)}
		if err = d.downloadPiece(p, src); err != nil {
			d.transfers.ring <- p.s
			break
		}
		if busy = append(busy, p); len(busy) == 2 {
			err = finish()
		}
	}
	for len(busy) > 0 {
		err = errors.Join(err, finish())
	}
	return errors.Join(err, d.said())
}

// piece is a part of a download under way.
type piece struct {
	s      *slot
	off, n int64
}

func (d *Device) beginDownload(src Span) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := errors.Join(d.usable(), src.check(d)); err != nil {
		return err
	}
	if src.Buffer.where == DeviceLocal {
		if err := d.openRing(); err != nil {
			return err
		}
	}
	return d.flushFills()
}

func (d *Device) downloadPiece(p piece, src Span) error {
	if err := p.s.last.wait(d); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := errors.Join(d.usable(), src.check(d)); err != nil {
		return err
	}
	return d.run(p.s, func(cb vulkan.CommandBuffer) {
		d.barrier(cb, barrierBegin)
		C.mmr_copy(d.table, cast[C.VkCommandBuffer](cb), cast[C.VkBuffer](src.Buffer.handle), C.uint64_t(src.Off+p.off),
			cast[C.VkBuffer](p.s.staging.handle), 0, C.uint64_t(p.n))
		d.barrier(cb, barrierEnd)
	})
}
