package vk

/*
#include "shim.h"
*/
import "C"

import "fmt"

// capability is a SPIR-V capability and what a device must have for it.
type capability struct {
	name    string
	feature uint32 // bits of mmr_info.features, all needed
	ops     uint32 // VkSubgroupFeatureFlags, all needed
}

// capabilities are those compute shaders here may declare; others are refused by name or number.
var capabilities = map[uint32]capability{
	0:    {name: "Matrix"},
	1:    {name: "Shader"},
	9:    {name: "Float16", feature: C.MMR_FLOAT16},
	10:   {name: "Float64", feature: C.MMR_FLOAT64},
	11:   {name: "Int64", feature: C.MMR_INT64},
	22:   {name: "Int16", feature: C.MMR_INT16},
	39:   {name: "Int8", feature: C.MMR_INT8},
	47:   {name: "ImageBuffer"},
	50:   {name: "ImageQuery"},
	61:   {name: "GroupNonUniform", ops: 1 << 0},
	62:   {name: "GroupNonUniformVote", ops: 1 << 1},
	63:   {name: "GroupNonUniformArithmetic", ops: 1 << 2},
	64:   {name: "GroupNonUniformBallot", ops: 1 << 3},
	65:   {name: "GroupNonUniformShuffle", ops: 1 << 4},
	66:   {name: "GroupNonUniformShuffleRelative", ops: 1 << 5},
	67:   {name: "GroupNonUniformClustered", ops: 1 << 6},
	68:   {name: "GroupNonUniformQuad", ops: 1 << 7},
	5345: {name: "VulkanMemoryModel", feature: C.MMR_COOPMAT},
	6022: {name: "CooperativeMatrixKHR", feature: C.MMR_COOPMAT | C.MMR_FLOAT16},
	4433: {name: "StorageBuffer16BitAccess", feature: C.MMR_STORAGE16},
	4434: {name: "UniformAndStorageBuffer16BitAccess", feature: C.MMR_UNIFORM16},
	4448: {name: "StorageBuffer8BitAccess", feature: C.MMR_STORAGE8},
	4449: {name: "UniformAndStorageBuffer8BitAccess", feature: C.MMR_UNIFORM8},
}

// Fits says why a shader cannot run on the device with these specialization constants, nil if it can. A shader of a name
// is looked at once for every spec.
func (d *Device) Fits(name string, spirv []byte, spec ...uint32) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := keyOf(name, spec)
	if _, ok := d.fitting[key]; !ok {
		s, err := reflect(spirv, spec)
		if err == nil {
			err = s.fits(d.phys)
		}
		d.fitting[key] = err
	}
	return d.fitting[key]
}

// fits says why the shader cannot run on the device, nil if it can.
func (s *shader) fits(p *physical) error {
	api := min(uint32(p.c.api), uint32(C.VK_API_VERSION_1_3))
	newest := uint32(0x10300)
	switch {
	case api >= uint32(C.VK_API_VERSION_1_3):
		newest = 0x10600
	case api >= uint32(C.VK_API_VERSION_1_2):
		newest = 0x10500
	}
	if s.version > newest {
		return fmt.Errorf("spir-v version %d.%d, the device takes up to %d.%d",
			s.version>>16, s.version>>8&0xff, newest>>16, newest>>8&0xff)
	}
	for _, id := range s.capabilities {
		c, ok := capabilities[id]
		if !ok {
			return fmt.Errorf("spir-v capability %d is not supported by this package", id)
		}
		if uint32(p.c.features)&c.feature != c.feature {
			return fmt.Errorf("the device lacks %s", c.name)
		}
		const compute = 0x20
		if c.ops != 0 && (uint32(p.c.subgroup_operations)&c.ops != c.ops || uint32(p.c.subgroup_stages)&compute == 0) {
			return fmt.Errorf("the device lacks %s", c.name)
		}
	}
	return s.fitsLimits(p)
}

func (s *shader) fitsLimits(p *physical) error {
	l := &p.info.Limits
	if s.push > int(l.MaxPushConstants) {
		return fmt.Errorf("%d bytes of push constants, the device takes %d", s.push, l.MaxPushConstants)
	}
	if s.shared > int64(l.MaxSharedMemory) {
		return fmt.Errorf("%d bytes of shared memory, the device has %d", s.shared, l.MaxSharedMemory)
	}
	if s.subgroups && (p.c.features&C.MMR_SUBGROUP_SIZE == 0 || s.local[0]%p.info.Subgroup != 0) {
		return fmt.Errorf("workgroup size %v is not made of whole subgroups of %d invocations", s.local, p.info.Subgroup)
	}
	all := uint64(1)
	for i, n := range s.local {
		if limit := uint32(p.c.limits.maxComputeWorkGroupSize[i]); n > limit {
			return fmt.Errorf("workgroup size %v, the device takes %d along axis %d", s.local, limit, i)
		}
		all *= uint64(n)
	}
	if all > uint64(l.MaxInvocations) {
		return fmt.Errorf("workgroup size %v is %d invocations, the device takes %d", s.local, all, l.MaxInvocations)
	}
	storage, texel := s.storage(), uint32(len(s.bindings))-s.storage()
	v := &p.c.limits
	// Buffers may share bindings, but for those that are no arrays; then push constants say where each begins.
	if limit := p.storage(); storage > limit {
		if arrays := s.arrays(); storage-arrays >= limit || texel > 0 {
			return fmt.Errorf("%d storage bindings, the device takes %d", storage, limit)
		} else if told := s.push + 4*int(arrays); told > int(l.MaxPushConstants) {
			return fmt.Errorf("%d storage bindings, the device takes %d, and %d bytes of push constants to have them share, the device takes %d",
				storage, limit, told, l.MaxPushConstants)
		}
	}
	if limit := uint32(v.maxPerStageDescriptorStorageImages); texel > limit {
		return fmt.Errorf("%d texel bindings, the device takes %d", texel, limit)
	}
	return nil
}

// storage is how many storage bindings a shader has, and how many a device takes.
func (s *shader) storage() (n uint32) {
	for _, b := range s.bindings {
		if b.Kind == Storage {
			n++
		}
	}
	return n
}

func (p *physical) storage() uint32 { return uint32(p.c.limits.maxPerStageDescriptorStorageBuffers) }

// arrays is how many of them are arrays, which may share bindings.
func (s *shader) arrays() (n uint32) {
	for _, b := range s.bindings {
		if s.strides[b.Index] > 0 {
			n++
		}
	}
	return n
}
