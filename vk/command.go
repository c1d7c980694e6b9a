package vk

/*
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"unsafe"

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

	checked uint64      // Device.freed when the buffers were last found open; guarded by Device.mu
	last    *submission // the latest; guarded by Device.mu
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

// Dispatch records a run of p over groups workgroups. args are the buffers in the order of
// p.Bindings; push is as long as p.PushSize. Spans must be as aligned as Limits asks and no longer
// than it allows; the span of a texel binding is a multiple of 16 bytes.
func (c *Commands) Dispatch(p *Pipeline, args []Span, push []byte, groups [3]uint32) {
	if !c.recording() {
		return
	}
	if err := c.dispatch(p, args, push, groups); err != nil {
		c.fail(fmt.Errorf("pipeline %s: %w", p.name, err))
		return
	}
	c.dispatches++
	c.fail(nil)
}

func (c *Commands) dispatch(p *Pipeline, args []Span, push []byte, groups [3]uint32) error {
	if err := c.checkDispatch(p, args, push, groups); err != nil {
		return err
	}
	c.args = c.args[:0]
	for i, b := range p.shader.bindings {
		a, err := c.arg(b, args[i])
		if err != nil {
			return fmt.Errorf("binding %d (%v): %w", b.Index, b.Kind, err)
		}
		c.args = append(c.args, a)
	}
	pool, err := c.sets.next(c.d, p)
	if err != nil {
		return err
	}
	pipeline := p.handle
	if c.bound == p {
		pipeline = nil
	}
	r := C.mmr_dispatch(c.d.table, cast[C.VkCommandBuffer](c.cb), cast[C.VkPipeline](pipeline),
		cast[C.VkPipelineLayout](p.layout), cast[C.VkDescriptorSetLayout](p.setLayout),
		cast[C.VkDescriptorPool](pool), unsafe.SliceData(c.args), C.uint32_t(len(c.args)),
		unsafe.Pointer(unsafe.SliceData(push)), C.uint32_t(len(push)),
		C.uint32_t(groups[0]), C.uint32_t(groups[1]), C.uint32_t(groups[2]))
	c.bound = p
	return failed("vkAllocateDescriptorSets", int32(r))
}

func (c *Commands) checkDispatch(p *Pipeline, args []Span, push []byte, groups [3]uint32) error {
	if p.d != c.d {
		return fmt.Errorf("made by another device")
	}
	if len(args) != len(p.shader.bindings) {
		return fmt.Errorf("%d buffers given, the shader has %d bindings", len(args), len(p.shader.bindings))
	}
	if len(push) != p.shader.push {
		return fmt.Errorf("%d bytes of push constants given, the shader takes %d", len(push), p.shader.push)
	}
	limit := c.d.phys.info.Limits.MaxGroups
	for i, g := range groups {
		if g == 0 || g > limit[i] {
			return fmt.Errorf("groups %v are outside 1..%v", groups, limit)
		}
	}
	return nil
}

// arg checks a span against the binding and describes it for the shim.
func (c *Commands) arg(b Binding, s Span) (C.mmr_arg, error) {
	var a C.mmr_arg
	if err := s.check(c.d); err != nil {
		return a, err
	}
	l := &c.d.phys.info.Limits
	a.binding = C.uint32_t(b.Index)
	if b.Kind == Storage {
		if s.Off%l.StorageAlign != 0 {
			return a, fmt.Errorf("offset %d is not a multiple of %d", s.Off, l.StorageAlign)
		}
		if s.Size > int64(l.MaxStorageBufferRange) {
			return a, fmt.Errorf("%d bytes are above the device's maxStorageBufferRange of %d", s.Size, l.MaxStorageBufferRange)
		}
		a.kind = C.MMR_STORAGE
		a.buffer = cast[C.VkBuffer](s.Buffer.handle)
		a.offset, a._range = C.uint64_t(s.Off), C.uint64_t(s.Size)
	} else {
		v, err := c.view(s, b.Kind)
		if err != nil {
			return a, err
		}
		a.kind = C.MMR_TEXEL
		a.view = cast[C.VkBufferView](v)
	}
	c.buffers[s.Buffer] = struct{}{}
	return a, nil
}

// view returns the list's buffer view of a span.
func (c *Commands) view(s Span, k Kind) (vulkan.BufferView, error) {
	if v, ok := c.views[viewKey{s, k}]; ok {
		return v, nil
	}
	l := &c.d.phys.info.Limits
	switch {
	case s.Off%l.TexelAlign != 0:
		return nil, fmt.Errorf("offset %d is not a multiple of %d", s.Off, l.TexelAlign)
	case s.Size%texelBytes != 0:
		return nil, fmt.Errorf("%d bytes are not a multiple of %d", s.Size, texelBytes)
	case s.Size/texelBytes > int64(l.MaxTexelBufferElements):
		return nil, fmt.Errorf("%d elements are above the device's maxTexelBufferElements of %d", s.Size/texelBytes, l.MaxTexelBufferElements)
	}
	info := vulkan.BufferViewCreateInfo{
		SType: vulkan.StructureTypeBufferViewCreateInfo, Buffer: s.Buffer.handle, Format: k.format(),
		Offset: vulkan.DeviceSize(s.Off), Range: vulkan.DeviceSize(s.Size),
	}
	defer info.Free()
	var v vulkan.BufferView
	if err := failed("vkCreateBufferView", vulkan.CreateBufferView(c.d.handle, &info, nil, &v)); err != nil {
		return nil, err
	}
	c.d.counts.add(viewHandle, 1)
	c.views[viewKey{s, k}] = v
	return v, nil
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
