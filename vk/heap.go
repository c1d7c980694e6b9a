package vk

import (
	"fmt"
	"sort"
	"unsafe"

	vulkan "github.com/goki/vulkan"
)

const (
	blockSize      = 64 << 20 // bytes of a block that buffers share
	dedicatedAbove = 32 << 20 // larger buffers get a block of their own
)

// Memory is a kind of memory.
type Memory int

// The kinds of memory.
const (
	DeviceLocal Memory = iota // the device's own; see Upload
	HostVisible               // mapped, coherent, cached by the CPU where the device offers it
)

// String is "device" or "host".
func (m Memory) String() string {
	if m == DeviceLocal {
		return "device"
	}
	return "host"
}

// heap hands out memory of blocks allocated from Vulkan.
type heap struct {
	d      *Device
	shared int64 // bytes of a shared block
	blind  bool  // for tests: the device's memory is its own
	kinds  [2]heapKind
}

// heapKind is the state of one Memory.
type heapKind struct {
	types            []uint32 // memory type indices that fit, best first
	blocks           []*block
	held, peak, used int64
}

// block is one VkDeviceMemory.
type block struct {
	memory    vulkan.DeviceMemory
	typeIndex uint32
	size      int64
	mapped    unsafe.Pointer // the whole block, where the host sees it
	dedicated bool
	whole     vulkan.Buffer // all of it as one buffer, where buffers share a binding; made when it is needed
	free      []extent      // sorted, no two touch
}

// extent is a run of bytes in a block.
type extent struct{ off, size int64 }

func (h *heap) init(d *Device) {
	h.d, h.shared = d, blockSize
	m := &d.phys.c.memory
	flags := make([]uint32, m.memoryTypeCount)
	for i := range flags {
		flags[i] = uint32(m.memoryTypes[i].propertyFlags)
	}
	h.kinds[DeviceLocal].types = rankTypes(flags, DeviceLocal)
	h.kinds[HostVisible].types = rankTypes(flags, HostVisible)
}

// rankTypes lists the memory types that serve a kind of memory, best first; flags are the property
// flags of each type.
func rankTypes(flags []uint32, where Memory) []uint32 {
	const (
		local    = uint32(vulkan.MemoryPropertyDeviceLocalBit)
		visible  = uint32(vulkan.MemoryPropertyHostVisibleBit)
		coherent = uint32(vulkan.MemoryPropertyHostCoherentBit)
		cached   = uint32(vulkan.MemoryPropertyHostCachedBit)
		lazy     = uint32(vulkan.MemoryPropertyLazilyAllocatedBit)
		special  = lazy | uint32(vulkan.MemoryPropertyProtectedBit) | 0x40 | 0x80 // AMD's uncached kinds
	)
	need, good, bad := local, uint32(0), visible
	if where == HostVisible {
		need, good, bad = visible|coherent, cached, local
	}
	var fit []uint32
	for i, f := range flags {
		if f&need == need && f&special == 0 {
			fit = append(fit, uint32(i))
		}
	}
	score := func(i uint32) (s int) {
		if flags[i]&good != 0 {
			s += 2
		}
		if flags[i]&bad == 0 {
			s++
		}
		return s
	}
	sort.SliceStable(fit, func(a, b int) bool { return score(fit[a]) > score(fit[b]) })
	return fit
}

// alloc finds size bytes at a multiple of align (a power of two) in a memory type of the mask.
func (h *heap) alloc(where Memory, size, align int64, mask uint32) (*block, int64, error) {
	k := &h.kinds[where]
	if size <= dedicatedAbove {
		for _, b := range k.blocks {
			if b.dedicated || mask&(1<<b.typeIndex) == 0 {
				continue
			}
			if off, ok := b.take(size, align); ok {
				k.used += size
				return b, off, nil
			}
		}
	}
	var last error
	for _, t := range k.types {
		if mask&(1<<t) == 0 {
			continue
		}
		b, err := h.newBlock(where, t, size)
		if err == nil {
			off, _ := b.take(size, align) // the start of a fresh block fits any alignment
			k.used += size
			return b, off, nil
		}
		last = err
	}
	if last == nil {
		return nil, 0, fmt.Errorf("device %s has no %v memory for buffers", h.d.phys.info.Name, where)
	}
	return nil, 0, &OutOfMemoryError{Asked: size, Held: k.held, Memory: where, Err: last}
}

// newBlock allocates a block that holds size bytes: a shared one if that is possible, else one of
// exactly size.
func (h *heap) newBlock(where Memory, typeIndex uint32, size int64) (*block, error) {
	if size <= dedicatedAbove && uint64(h.shared) <= h.d.phys.info.Limits.MaxAllocation {
		if b, err := h.allocate(where, typeIndex, h.shared); err == nil {
			return b, nil
		}
	}
	b, err := h.allocate(where, typeIndex, size)
	if err != nil {
		return nil, err
	}
	b.dedicated = true
	return b, nil
}

func (h *heap) allocate(where Memory, typeIndex uint32, size int64) (*block, error) {
	info := vulkan.MemoryAllocateInfo{
		SType: vulkan.StructureTypeMemoryAllocateInfo, AllocationSize: vulkan.DeviceSize(size),
		MemoryTypeIndex: typeIndex,
	}
	defer info.Free()
	var memory vulkan.DeviceMemory
	if err := failed("vkAllocateMemory", vulkan.AllocateMemory(h.d.handle, &info, nil, &memory)); err != nil {
		return nil, err
	}
	b := &block{memory: memory, typeIndex: typeIndex, size: size, free: []extent{{0, size}}}
	if where == HostVisible || h.seen(typeIndex) {
		var p unsafe.Pointer
		r := vulkan.MapMemory(h.d.handle, memory, 0, vulkan.DeviceSize(size), 0, &p)
		if err := failed("vkMapMemory", r); err != nil {
			vulkan.FreeMemory(h.d.handle, memory, nil)
			return nil, err
		}
		b.mapped = p
	}
	k := &h.kinds[where]
	k.blocks = append(k.blocks, b)
	k.held += size
	k.peak = max(k.peak, k.held)
	h.d.counts.add(memoryHandle, 1)
	return b, nil
}

// seen reports whether the host sees memory of a type as it does its own: that of a device that is, or
// shares its memory with, the CPU.
func (h *heap) seen(typeIndex uint32) bool {
	const kind = uint32(vulkan.MemoryPropertyHostVisibleBit | vulkan.MemoryPropertyHostCoherentBit | vulkan.MemoryPropertyHostCachedBit)
	return !h.blind && uint32(h.d.phys.c.memory.memoryTypes[typeIndex].propertyFlags)&kind == kind
}

// release gives back what alloc returned. One empty shared block per kind is kept, so that a loop
// that makes and closes a buffer does not allocate each time.
func (h *heap) release(where Memory, b *block, off, size int64) {
	k := &h.kinds[where]
	k.used -= size
	b.give(extent{off, size})
	if !b.empty() {
		return
	}
	if !b.dedicated {
		spare := true
		for _, o := range k.blocks {
			spare = spare && (o == b || o.dedicated || !o.empty())
		}
		if spare {
			return
		}
	}
	h.freeBlock(where, b)
}

func (h *heap) freeBlock(where Memory, b *block) {
	k := &h.kinds[where]
	for i, o := range k.blocks {
		if o == b {
			k.blocks = append(k.blocks[:i], k.blocks[i+1:]...)
			break
		}
	}
	if b.whole != nil {
		vulkan.DestroyBuffer(h.d.handle, b.whole, nil)
		h.d.counts.add(bufferHandle, -1)
	}
	vulkan.FreeMemory(h.d.handle, b.memory, nil) // unmaps too
	h.d.counts.add(memoryHandle, -1)
	k.held -= b.size
}

func (h *heap) destroy() {
	for where := range h.kinds {
		for len(h.kinds[where].blocks) > 0 {
			h.freeBlock(Memory(where), h.kinds[where].blocks[0])
		}
	}
}

func (b *block) empty() bool { return len(b.free) == 1 && b.free[0].size == b.size }

// take cuts size bytes at a multiple of align out of the smallest hole that has them.
func (b *block) take(size, align int64) (off int64, ok bool) {
	best, bestSize := -1, int64(0)
	for i, e := range b.free {
		at := (e.off + align - 1) &^ (align - 1)
		if at+size <= e.off+e.size && (best < 0 || e.size < bestSize) {
			best, bestSize, off = i, e.size, at
		}
	}
	if best < 0 {
		return 0, false
	}
	e := b.free[best]
	var rest []extent
	if off > e.off {
		rest = append(rest, extent{e.off, off - e.off})
	}
	if end := off + size; end < e.off+e.size {
		rest = append(rest, extent{end, e.off + e.size - end})
	}
	b.free = append(b.free[:best], append(rest, b.free[best+1:]...)...)
	return off, true
}

// give returns a run to the free list and joins it with its neighbours.
func (b *block) give(e extent) {
	i := sort.Search(len(b.free), func(i int) bool { return b.free[i].off > e.off })
	b.free = append(b.free[:i], append([]extent{e}, b.free[i:]...)...)
	if i+1 < len(b.free) && b.free[i].off+b.free[i].size == b.free[i+1].off {
		b.free[i].size += b.free[i+1].size
		b.free = append(b.free[:i+1], b.free[i+2:]...)
	}
	if i > 0 && b.free[i-1].off+b.free[i-1].size == b.free[i].off {
		b.free[i-1].size += b.free[i].size
		b.free = append(b.free[:i], b.free[i+1:]...)
	}
}
