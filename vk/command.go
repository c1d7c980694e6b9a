package vk

/*
#include "shim.h"
*/
import "C"

import (
	"fmt"

	vulkan "github.com/goki/vulkan"
)

// barrierKind is one of the memory barriers the package uses.
type barrierKind int

const (
	barrierBegin  barrierKind = iota // everything submitted before -> everything in this list
	barrierMiddle                    // shader and transfer writes -> shader and transfer accesses
	barrierEnd                       // shader and transfer writes -> reads by the host
)

const (
	stageAll    = uint32(vulkan.PipelineStageAllCommandsBit)
	stageWork   = uint32(vulkan.PipelineStageComputeShaderBit | vulkan.PipelineStageTransferBit)
	stageHost   = uint32(vulkan.PipelineStageHostBit)
	accessWrite = uint32(vulkan.AccessShaderWriteBit | vulkan.AccessTransferWriteBit)
	accessWork  = accessWrite | uint32(vulkan.AccessShaderReadBit|vulkan.AccessTransferReadBit)
	accessAll   = uint32(vulkan.AccessMemoryReadBit | vulkan.AccessMemoryWriteBit)
	accessHost  = uint32(vulkan.AccessHostReadBit)
)

func (d *Device) barrier(cb vulkan.CommandBuffer, k barrierKind) {
	from, wrote, to, access := stageWork, accessWrite, stageWork, accessWork
	switch k {
	case barrierBegin:
		from, wrote, to, access = stageAll, uint32(vulkan.AccessMemoryWriteBit), stageAll, accessAll
	case barrierEnd:
		to, access = stageHost, accessHost
	}
	C.mmr_barrier(d.table, cast[C.VkCommandBuffer](cb), C.uint32_t(from), C.uint32_t(wrote), C.uint32_t(to), C.uint32_t(access))
}

// Commands is a command list: recorded once, ended, then submitted any number of times, also while
// an earlier submission of it still runs. Recording methods keep the first error for End. One
// goroutine at a time may record.
type Commands struct {
	d      *Device
	pool   vulkan.CommandPool
	cb     vulkan.CommandBuffer
	ended  bool
	closed bool
	err    error // the first of the recording

	sets       setPools
	views      map[viewKey]vulkan.BufferView
	buffers    map[*Buffer]struct{} // all that are used
	bound      *Pipeline
	args       []C.mmr_arg // reused
	queries    []vulkan.QueryPool
	stamps     int
	dispatches int

	checked uint64 // Device.freed when the buffers were last found open; guarded by Device.mu
	last    ticket // the latest; guarded by Device.mu
}

// viewKey tells buffer views of one list apart.
type viewKey struct {
	Span
	kind Kind
}

// NewCommands begins a command list. It starts with a barrier against all earlier submissions.
func (d *Device) NewCommands() (*Commands, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.usable(); err != nil {
		return nil, err
	}
	pool, err := d.newCommandPool(0)
	if err != nil {
		return nil, err
	}
	c := &Commands{d: d, pool: pool, views: map[viewKey]vulkan.BufferView{}, buffers: map[*Buffer]struct{}{},
		checked: d.freed}
	if err := c.begin(); err != nil {
		c.destroy()
		return nil, err
	}
	d.commands[c] = struct{}{}
	return c, nil
}

func (c *Commands) begin() error {
	cb, err := c.d.newCommandBuffer(c.pool)
	if err != nil {
		return err
	}
	info := vulkan.CommandBufferBeginInfo{
		SType: vulkan.StructureTypeCommandBufferBeginInfo,
		Flags: vulkan.CommandBufferUsageFlags(vulkan.CommandBufferUsageSimultaneousUseBit),
	}
	defer info.Free()
	if err := failed("vkBeginCommandBuffer", vulkan.BeginCommandBuffer(cb, &info)); err != nil {
		return err
	}
	c.cb = cb
	c.d.barrier(cb, barrierBegin)
	return c.d.said()
}

func (d *Device) newCommandPool(flags vulkan.CommandPoolCreateFlags) (vulkan.CommandPool, error) {
	info := vulkan.CommandPoolCreateInfo{
		SType: vulkan.StructureTypeCommandPoolCreateInfo, Flags: flags, QueueFamilyIndex: d.phys.family,
	}
	defer info.Free()
	var pool vulkan.CommandPool
	if err := failed("vkCreateCommandPool", vulkan.CreateCommandPool(d.handle, &info, nil, &pool)); err != nil {
		return nil, err
	}
	d.counts.add(commandPoolHandle, 1)
	return pool, nil
}

func (d *Device) newCommandBuffer(pool vulkan.CommandPool) (vulkan.CommandBuffer, error) {
	info := vulkan.CommandBufferAllocateInfo{
		SType: vulkan.StructureTypeCommandBufferAllocateInfo, CommandPool: pool,
		Level: vulkan.CommandBufferLevelPrimary, CommandBufferCount: 1,
	}
	defer info.Free()
	cbs := make([]vulkan.CommandBuffer, 1)
	if err := failed("vkAllocateCommandBuffers", vulkan.AllocateCommandBuffers(d.handle, &info, cbs)); err != nil {
		return nil, err
	}
	return cbs[0], nil
}

// recording reports whether a recording method may go on; if not the reason is in c.err.
func (c *Commands) recording() bool {
	if c.err == nil && c.closed {
		c.err = fmt.Errorf("command list: %w", ErrClosed)
	}
	if c.err == nil && c.ended {
		c.err = fmt.Errorf("command list: recording after End")
	}
	return c.err == nil
}

// fail keeps the first error; without one it keeps what the validation layer said.
func (c *Commands) fail(err error) {
	if c.err != nil {
		return
	}
	if c.err = err; err == nil {
		c.err = c.d.said()
	}
}

// Barrier orders all earlier shader and transfer writes before all later shader and transfer
// accesses, and earlier reads before later writes.
func (c *Commands) Barrier() {
	if c.recording() {
		c.d.barrier(c.cb, barrierMiddle)
		c.fail(nil)
	}
}

// Copy records a copy between spans of one size that do not overlap.
func (c *Commands) Copy(dst, src Span) {
	if c.recording() {
		c.fail(c.copy(dst, src))
	}
}

func (c *Commands) copy(dst, src Span) error {
	if err := dst.check(c.d); err != nil {
		return fmt.Errorf("copy to: %w", err)
	}
	if err := src.check(c.d); err != nil {
		return fmt.Errorf("copy from: %w", err)
	}
	if dst.Size != src.Size {
		return fmt.Errorf("copy: %d bytes into %d", src.Size, dst.Size)
	}
	if dst.Buffer == src.Buffer && dst.Off < src.Off+src.Size && src.Off < dst.Off+dst.Size {
		return fmt.Errorf("copy: bytes %d+%d and %d+%d overlap", src.Off, src.Size, dst.Off, dst.Size)
	}
	C.mmr_copy(c.d.table, cast[C.VkCommandBuffer](c.cb), cast[C.VkBuffer](src.Buffer.handle), C.uint64_t(src.Off),
		cast[C.VkBuffer](dst.Buffer.handle), C.uint64_t(dst.Off), C.uint64_t(dst.Size))
	c.buffers[dst.Buffer], c.buffers[src.Buffer] = struct{}{}, struct{}{}
	return nil
}

// Fill records setting every word of dst, whose bounds are multiples of 4, to value.
func (c *Commands) Fill(dst Span, value uint32) {
	if !c.recording() {
		return
	}
	if err := dst.check(c.d); err != nil {
		c.fail(fmt.Errorf("fill: %w", err))
		return
	}
	if dst.Off%4 != 0 || dst.Size%4 != 0 {
		c.fail(fmt.Errorf("fill: bytes %d+%d are not whole words", dst.Off, dst.Size))
		return
	}
	vulkan.CmdFillBuffer(c.cb, dst.Buffer.handle, vulkan.DeviceSize(dst.Off), vulkan.DeviceSize(dst.Size), value)
	c.buffers[dst.Buffer] = struct{}{}
	c.fail(nil)
}

// End finishes the recording with a barrier to the host and returns the first error of it.
func (c *Commands) End() error {
	if !c.recording() {
		return c.err
	}
	c.d.barrier(c.cb, barrierEnd)
	c.fail(failed("vkEndCommandBuffer", vulkan.EndCommandBuffer(c.cb)))
	c.ended = true
	return c.err
}

// ready says why the list cannot be submitted to d, nil if it can. The caller holds d.mu.
func (c *Commands) ready(d *Device) error {
	switch {
	case c == nil:
		return fmt.Errorf("is nil")
	case c.d != d:
		return fmt.Errorf("is another device's")
	case c.closed:
		return ErrClosed
	case c.err != nil:
		return c.err
	case !c.ended:
		return fmt.Errorf("has not been ended")
	case c.checked == d.freed:
		return nil
	}
	for b := range c.buffers {
		if b.closed.Load() {
			return fmt.Errorf("uses a buffer of %d bytes: %w", b.size, ErrClosed)
		}
	}
	c.checked = d.freed
	return nil
}

// Close frees the list after waiting for its submissions. A second Close, or one after the
// device's, does nothing.
func (c *Commands) Close() {
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.closed {
		return
	}
	// A failed wait is the device's, and is returned by the next Submit or Wait.
	c.last.wait(d)
	if d.stuck.Load() { // the list may be in use
		c.closed = true
		delete(d.commands, c)
		return
	}
	c.destroy()
}

// destroy frees a list that no submission uses. The caller holds d.mu.
func (c *Commands) destroy() {
	d := c.d
	c.closed = true
	delete(d.commands, c)
	vulkan.DestroyCommandPool(d.handle, c.pool, nil) // and its command buffer
	d.counts.add(commandPoolHandle, -1)
	c.sets.destroy(d)
	for _, v := range c.views {
		vulkan.DestroyBufferView(d.handle, v, nil)
		d.counts.add(viewHandle, -1)
	}
	for _, q := range c.queries {
		vulkan.DestroyQueryPool(d.handle, q, nil)
		d.counts.add(queryPoolHandle, -1)
	}
	c.views, c.queries, c.buffers = nil, nil, nil
}
