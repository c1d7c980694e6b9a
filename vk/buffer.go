package vk

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	vulkan "github.com/goki/vulkan"
)

// Buffer is a VkBuffer in memory of its own. Contents are zero at first.
type Buffer struct {
	d      *Device
	handle vulkan.Buffer
	size   int64
	where  Memory
	block  *block
	off    int64 // in the block
	bytes  int64 // taken from the block
	zero   bool  // device memory whose zero-filling is still to be recorded
	closed atomic.Bool
}

// bufferUsage: every buffer may be bound in every way and copied from and to.
const bufferUsage = vulkan.BufferUsageFlags(vulkan.BufferUsageStorageBufferBit |
	vulkan.BufferUsageStorageTexelBufferBit | vulkan.BufferUsageTransferSrcBit |
	vulkan.BufferUsageTransferDstBit)

// NewBuffer makes a zero-filled buffer of size bytes. It fails with an *OutOfMemoryError when no
// memory is left.
func (d *Device) NewBuffer(size int64, where Memory) (*Buffer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.usable(); err != nil {
		return nil, err
	}
	if where != DeviceLocal && where != HostVisible {
		return nil, fmt.Errorf("buffer: memory kind %d is unknown", int(where))
	}
	b, err := d.newBuffer(size, where)
	if err != nil {
		return nil, err
	}
	d.buffers[b] = struct{}{}
	if where == DeviceLocal {
		b.zero = true
		d.transfers.fills = append(d.transfers.fills, b)
	} else {
		clear(b.Mapped())
	}
	if err := d.said(); err != nil {
		d.destroyBuffer(b)
		return nil, err
	}
	return b, nil
}

// newBuffer makes a buffer that is neither registered nor filled.
func (d *Device) newBuffer(size int64, where Memory) (*Buffer, error) {
	if size <= 0 {
		return nil, fmt.Errorf("buffer: size %d is not positive", size)
	}
	if limit := d.phys.info.Limits.MaxAllocation; uint64(size) > limit {
		return nil, &OutOfMemoryError{Asked: size, Held: d.heap.kinds[where].held, Memory: where,
			Err: fmt.Errorf("the device allows %d bytes in one buffer", limit)}
	}
	// Fills work in words, so the buffer ends on one.
	info := vulkan.BufferCreateInfo{
		SType: vulkan.StructureTypeBufferCreateInfo, Size: vulkan.DeviceSize((size + 3) &^ 3),
		Usage: bufferUsage, SharingMode: vulkan.SharingModeExclusive,
	}
	defer info.Free()
	var handle vulkan.Buffer
	if err := failed("vkCreateBuffer", vulkan.CreateBuffer(d.handle, &info, nil, &handle)); errors.Is(err, ErrOutOfMemory) {
		return nil, &OutOfMemoryError{Asked: size, Held: d.heap.kinds[where].held, Memory: where, Err: err}
	} else if err != nil {
		return nil, err
	}
	var req vulkan.MemoryRequirements
	vulkan.GetBufferMemoryRequirements(d.handle, handle, &req)
	req.Deref()
	defer req.Free()
	b := &Buffer{d: d, handle: handle, size: size, where: where, bytes: int64(req.Size)}
	var err error
	b.block, b.off, err = d.heap.alloc(where, b.bytes, int64(req.Alignment), req.MemoryTypeBits)
	if err != nil {
		vulkan.DestroyBuffer(d.handle, handle, nil)
		return nil, err
	}
	d.counts.add(bufferHandle, 1)
	r := vulkan.BindBufferMemory(d.handle, handle, b.block.memory, vulkan.DeviceSize(b.off))
	if err := failed("vkBindBufferMemory", r); err != nil {
		d.destroyBuffer(b)
		return nil, err
	}
	return b, nil
}

// destroyBuffer frees a buffer that no submission uses.
func (d *Device) destroyBuffer(b *Buffer) {
	b.closed.Store(true)
	delete(d.buffers, b)
	if b.zero {
		d.transfers.forget(b)
	}
	vulkan.DestroyBuffer(d.handle, b.handle, nil)
	d.counts.add(bufferHandle, -1)
	d.heap.release(b.where, b.block, b.off, b.bytes)
	d.freed++
}

// Close frees the buffer, after waiting for everything submitted so far. A second Close, or one
// after the device's, does nothing. Command lists that use the buffer can no longer be submitted.
func (b *Buffer) Close() {
	d := b.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if b.closed.Load() {
		return
	}
	// A failed wait is the device's, and is returned by the next Submit or Wait; the memory can go, unless it may be in use.
	d.queue.drain(d)
	if d.stuck.Load() {
		b.closed.Store(true)
		delete(d.buffers, b)
		d.freed++
		return
	}
	d.destroyBuffer(b)
}

// Size is the size in bytes given to NewBuffer.
func (b *Buffer) Size() int64 { return b.size }

// Memory is the kind of memory given to NewBuffer.
func (b *Buffer) Memory() Memory { return b.where }

// Mapped is the buffer's memory as the CPU sees it, nil for a DeviceLocal or closed buffer. What the
// device wrote is there after the Wait of its submission. The slice must not be used after Close.
func (b *Buffer) Mapped() []byte {
	if b.where != HostVisible || b.closed.Load() {
		return nil
	}
	return b.memory()
}

// memory is the buffer's memory, nil where the host does not see it.
func (b *Buffer) memory() []byte {
	if b.block.mapped == nil {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Add(b.block.mapped, b.off)), b.size)
}

// Span is a run of bytes in a buffer.
type Span struct {
	Buffer    *Buffer
	Off, Size int64 // bytes
}

// Span is size bytes at off. Whether it lies in the buffer is checked where it is used.
func (b *Buffer) Span(off, size int64) Span { return Span{b, off, size} }

// Whole is all of the buffer.
func (b *Buffer) Whole() Span { return Span{b, 0, b.size} }

// check says what is wrong with a span, nil when it lies in an open buffer of d and is not empty.
func (s Span) check(d *Device) error {
	b := s.Buffer
	switch {
	case b == nil:
		return fmt.Errorf("no buffer")
	case b.d != d:
		return fmt.Errorf("a buffer of another device")
	case b.closed.Load():
		return fmt.Errorf("buffer: %w", ErrClosed)
	case s.Off < 0 || s.Size <= 0 || s.Off > b.size || s.Size > b.size-s.Off:
		return fmt.Errorf("bytes %d+%d are not inside the buffer of %d", s.Off, s.Size, b.size)
	}
	return nil
}
