package vk

/*
#include "shim.h"
*/
import "C"

import (
	"encoding/hex"
	"fmt"
	"math"
	"unsafe"

	vulkan "github.com/goki/vulkan"
)

// Type is the kind of a device.
type Type int

// The kinds of device, best first.
const (
	Discrete Type = iota
	Integrated
	Virtual
	CPU
	Other
)

// String is a lowercase word.
func (t Type) String() string {
	if t < Discrete || t > Other {
		return fmt.Sprintf("type %d", int(t))
	}
	return [...]string{"discrete", "integrated", "virtual", "cpu", "other"}[t]
}

// typeOf turns a VkPhysicalDeviceType into a Type.
func typeOf(t uint32) Type {
	switch t {
	case 1:
		return Integrated
	case 2:
		return Discrete
	case 3:
		return Virtual
	case 4:
		return CPU
	}
	return Other
}

// Info describes a device.
type Info struct {
	Index              int    // position in List, usable as Options.Device
	Name               string // as the driver gives it
	Type               Type
	VendorID, DeviceID uint32
	Driver, DriverInfo string // driver name and version, empty where the driver does not say
	APIVersion         string // "1.3.230"
	UUID               string // deviceUUID, usable as Options.Device
	DriverUUID         string // driverUUID: of the driver's build, where it says so
	Memory             uint64 // bytes of device-local memory
	Subgroup           uint32 // lanes of a subgroup
	Paths              []Path // that the device takes
	Tile               [3]int // M, N and K of its cooperative matrices, 0 where it has none
	Limits             Limits
	Default            bool // Open with the same options would take this one
}

// Limits are the device limits callers have to plan for.
type Limits struct {
	MaxStorageBufferRange  uint32 // bytes of one storage binding
	MaxTexelBufferElements uint32 // elements (of 16 bytes) of one texel binding
	MaxSharedMemory        uint32 // bytes per workgroup
	MaxInvocations         uint32 // per workgroup
	MaxPushConstants       uint32 // bytes
	MaxGroups              [3]uint32
	StorageAlign           int64   // bytes, offset of a storage binding
	TexelAlign             int64   // bytes, offset of a texel binding
	MaxAllocation          uint64  // bytes of one buffer
	TimestampPeriod        float64 // nanoseconds per tick; 0 when the queue has no timestamps
}

// physical is a physical device and all that is known of it.
type physical struct {
	handle vulkan.PhysicalDevice
	info   Info
	c      C.mmr_info
	family uint32 // queue family to use
	mask   uint64 // valid bits of a timestamp
}

// describe reads the properties of p; ok is false when the device cannot be used: no Vulkan 1.1 or
// no compute queue.
func (i *instance) describe(p vulkan.PhysicalDevice) (d *physical, ok bool) {
	d = &physical{handle: p}
	C.mmr_device_info(i.c, cast[C.VkPhysicalDevice](p), &d.c)
	c := &d.c
	if uint32(c.api) < uint32(C.VK_API_VERSION_1_1) {
		return nil, false
	}
	var bits uint32
	d.family, bits, ok = computeFamily(
		unsafe.Slice((*uint32)(unsafe.Pointer(&c.family_flags)), c.families),
		unsafe.Slice((*uint32)(unsafe.Pointer(&c.family_bits)), c.families))
	if !ok {
		return nil, false
	}
	driver := unsafe.Slice((*byte)(unsafe.Pointer(&c.driver_uuid)), 16)
	d.mask = uint64(math.MaxUint64) >> (64 - bits) // 0 bits: no timestamps
	uuid := unsafe.Slice((*byte)(unsafe.Pointer(&c.uuid)), 16)
	d.info = Info{
		Name:       C.GoString(&c.name[0]),
		Type:       typeOf(uint32(c._type)),
		VendorID:   uint32(c.vendor),
		DeviceID:   uint32(c.device),
		Driver:     C.GoString(&c.driver[0]),
		DriverInfo: C.GoString(&c.driver_info[0]),
		APIVersion: vulkan.Version(c.api).String(),
		UUID:       formatUUID(uuid),
		DriverUUID: formatUUID(driver),
		Memory:     d.deviceLocal(),
		Subgroup:   uint32(c.subgroup),
		Tile:       [3]int{int(c.tile[0]), int(c.tile[1]), int(c.tile[2])},
		Limits:     d.limits(),
	}
	return d, true
}

// computeFamily picks the queue family: one with compute, if possible with timestamps, and then
// without graphics, so that long work does not hold up the desktop.
func computeFamily(flags, timestampBits []uint32) (family, bits uint32, ok bool) {
	best := -1
	for i, f := range flags {
		if f&uint32(vulkan.QueueComputeBit) == 0 {
			continue
		}
		score := 0
		if timestampBits[i] > 0 {
			score = 2
		}
		if f&uint32(vulkan.QueueGraphicsBit) == 0 {
			score++
		}
		if score > best {
			best, family, bits, ok = score, uint32(i), timestampBits[i], true
		}
	}
	return family, bits, ok
}

func (d *physical) deviceLocal() (sum uint64) {
	m := &d.c.memory
	for _, h := range m.memoryHeaps[:m.memoryHeapCount] {
		if h.flags&1 != 0 { // VK_MEMORY_HEAP_DEVICE_LOCAL_BIT
			sum += uint64(h.size)
		}
	}
	return sum
}

func (d *physical) limits() Limits {
	l := &d.c.limits
	max := uint64(d.c.max_allocation)
	if b := uint64(d.c.max_buffer); b > 0 && b < max {
		max = b
	}
	period := float64(l.timestampPeriod)
	if d.mask == 0 {
		period = 0
	}
	return Limits{
		MaxStorageBufferRange:  uint32(l.maxStorageBufferRange),
		MaxTexelBufferElements: uint32(l.maxTexelBufferElements),
		MaxSharedMemory:        uint32(l.maxComputeSharedMemorySize),
		MaxInvocations:         uint32(l.maxComputeWorkGroupInvocations),
		MaxPushConstants:       uint32(l.maxPushConstantsSize),
		MaxGroups: [3]uint32{uint32(l.maxComputeWorkGroupCount[0]), uint32(l.maxComputeWorkGroupCount[1]),
			uint32(l.maxComputeWorkGroupCount[2])},
		StorageAlign:    int64(l.minStorageBufferOffsetAlignment),
		TexelAlign:      int64(l.minTexelBufferOffsetAlignment),
		MaxAllocation:   max,
		TimestampPeriod: period,
	}
}

func formatUUID(b []byte) string {
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
