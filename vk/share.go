package vk

/*
#include "shim.h"
*/
import "C"

import (
	"encoding/binary"
	"fmt"

	vulkan "github.com/goki/vulkan"
)

// A shared binding is of one or more buffers that lie in a block of memory.
type sharedBinding struct {
	block    *block
	buffer   *Buffer // the only one, or nil when there are several
	from, to int64   // in the block
}

// share has buffers of one block share a binding; see merge. It returns the pipeline that has them so, and its push
// constants.
func (c *Commands) share(p *Pipeline, args []Span, push []byte) (*Pipeline, []byte, error) {
	d := c.d
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []sharedBinding
	group := make([]uint32, len(args))
	for i, b := range p.shader.bindings {
		if _, err := c.arg(b, args[i]); err != nil { // all that one by itself must hold to
			return nil, nil, fmt.Errorf("binding %d (%v): %w", b.Index, b.Kind, err)
		}
		group[i] = uint32(len(all))
		at := args[i].Buffer.off + args[i].Off
		one := sharedBinding{args[i].Buffer.block, args[i].Buffer, at / d.phys.info.Limits.StorageAlign * d.phys.info.Limits.StorageAlign, at + args[i].Size}
		for j := range all {
			if p.shader.strides[b.Index] > 0 && all[j].joins(one, d.phys.info.Limits) {
				group[i] = uint32(j)
			}
		}
		if int(group[i]) == len(all) {
			if p.shader.strides[b.Index] == 0 { // no other may come to it
				one.block = nil
			}
			all = append(all, one)
			continue
		}
		all[group[i]].join(one)
	}
	if limit := d.phys.storage(); uint32(len(all)) > limit {
		return nil, nil, fmt.Errorf("%d buffers lie in %d places, the device takes %d storage bindings (maxPerStageDescriptorStorageBuffers)", len(args), len(all), limit)
	}
	q, err := p.sharing(group)
	if err != nil {
		return nil, nil, err
	}
	push = append([]byte(nil), push...)
	for i, b := range p.shader.bindings {
		if p.shader.strides[b.Index] > 0 {
			from := args[i].Buffer.off + args[i].Off - all[group[i]].from
			push = binary.LittleEndian.AppendUint32(push, uint32(from/int64(p.shader.strides[b.Index])))
		}
	}
	for i, one := range all {
		a, err := one.arg(d, args, group, i)
		if err != nil {
			return nil, nil, err
		}
		c.args = append(c.args, a)
	}
	return q, push, nil
}

// joins says whether both fit one binding.
func (s sharedBinding) joins(o sharedBinding, l Limits) bool {
	return s.block == o.block && max(s.to, o.to)-min(s.from, o.from) <= int64(l.MaxStorageBufferRange)
}

func (s *sharedBinding) join(o sharedBinding) {
	s.from, s.to = min(s.from, o.from), max(s.to, o.to)
	if s.buffer != o.buffer {
		s.buffer = nil
	}
}

// arg is the i-th binding for the shim. The caller holds Device.mu.
func (s sharedBinding) arg(d *Device, args []Span, group []uint32, i int) (a C.mmr_arg, err error) {
	a.binding, a.kind = C.uint32_t(i), C.MMR_STORAGE
	from, handle := s.from, vulkan.Buffer(nil)
	if s.buffer != nil && s.from >= s.buffer.off {
		from, handle = s.from-s.buffer.off, s.buffer.handle
		if from%d.phys.info.Limits.StorageAlign != 0 {
			handle = nil
		}
	}
	if handle == nil {
		from = s.from
		for j, g := range group {
			if int(g) == i {
				s.block = args[j].Buffer.block
			}
		}
		if handle, err = s.block.buffer(d); err != nil {
			return a, err
		}
	}
	a.buffer, a.offset, a._range = cast[C.VkBuffer](handle), C.uint64_t(from), C.uint64_t(s.to-s.from)
	return a, nil
}

// buffer is all of a block as one buffer. The caller holds Device.mu.
func (b *block) buffer(d *Device) (vulkan.Buffer, error) {
	if b.whole != nil {
		return b.whole, nil
	}
	info := vulkan.BufferCreateInfo{
		SType: vulkan.StructureTypeBufferCreateInfo, Size: vulkan.DeviceSize(b.size),
		Usage: bufferUsage, SharingMode: vulkan.SharingModeExclusive,
	}
	defer info.Free()
	var handle vulkan.Buffer
	if err := failed("vkCreateBuffer", vulkan.CreateBuffer(d.handle, &info, nil, &handle)); err != nil {
		return nil, err
	}
	var req vulkan.MemoryRequirements
	vulkan.GetBufferMemoryRequirements(d.handle, handle, &req)
	req.Deref()
	defer req.Free()
	err := failed("vkBindBufferMemory", vulkan.BindBufferMemory(d.handle, handle, b.memory, 0))
	if int64(req.Size) > b.size || req.MemoryTypeBits&(1<<b.typeIndex) == 0 {
		err = fmt.Errorf("a block of %d bytes cannot be one buffer: that takes %d", b.size, req.Size)
	}
	if err != nil {
		vulkan.DestroyBuffer(d.handle, handle, nil)
		return nil, err
	}
	b.whole = handle
	d.counts.add(bufferHandle, 1)
	return handle, nil
}

// sharing is the pipeline whose bindings are those of groups. The caller holds Device.mu.
func (p *Pipeline) sharing(group []uint32) (*Pipeline, error) {
	key := fmt.Sprint(group)
	if q := p.merged[key]; q != nil {
		return q, nil
	}
	code, told, err := merge(p.spirv, p.shader, p.spec, group)
	if err != nil {
		return nil, err
	}
	q, err := p.d.newPipeline(p.name, code, p.spec)
	if err != nil {
		return nil, err
	}
	if q.few || q.shader.push != p.shader.push+told {
		return nil, fmt.Errorf("%d bindings and %d bytes of push constants came of %d and %d", len(q.shader.bindings), q.shader.push, len(p.shader.bindings), p.shader.push)
	}
	p.merged[key] = q
	return q, nil
}
