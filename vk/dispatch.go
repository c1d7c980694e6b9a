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

// Dispatch records a run of p over groups workgroups. args are the buffers in the order of
// p.Bindings; push is as long as p.PushSize. Spans must be as aligned as Limits asks and no longer
// than it allows; the span of a texel binding is a multiple of 16 bytes.
func (c *Commands) Dispatch(p *Pipeline, args []Span, push []byte, groups [3]uint32) {
	if !c.recording() {
		return
	}
	if p == nil {
		c.fail(fmt.Errorf("dispatch: no pipeline"))
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
	p, push, err := c.bind(p, args, push)
	if err != nil {
		return err
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

// bind fills in the arguments of a dispatch, and returns what to dispatch.
func (c *Commands) bind(p *Pipeline, args []Span, push []byte) (*Pipeline, []byte, error) {
	c.args = c.args[:0]
	if p.few {
		return c.share(p, args, push)
	}
	for i, b := range p.shader.bindings {
		a, err := c.arg(b, args[i])
		if err != nil {
			return nil, nil, fmt.Errorf("binding %d (%v): %w", b.Index, b.Kind, err)
		}
		c.args = append(c.args, a)
	}
	return p, push, nil
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
