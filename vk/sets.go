package vk

import vulkan "github.com/goki/vulkan"

// Room in one descriptor pool.
const (
	poolSets    = 128
	poolStorage = 8 * poolSets
	poolTexel   = 4 * poolSets
)

// setPools are the descriptor pools of one command list, grown as needed. What is left in the
// newest is counted here: asking a full pool is an error some drivers do not notice.
type setPools struct {
	pools                []vulkan.DescriptorPool
	sets, storage, texel int // left in the newest
}

// next returns a pool with room for one set of p's layout, and takes that room.
func (s *setPools) next(d *Device, p *Pipeline) (vulkan.DescriptorPool, error) {
	var storage, texel int
	for _, b := range p.shader.bindings {
		if b.Kind == Storage {
			storage++
		} else {
			texel++
		}
	}
	if s.sets < 1 || s.storage < storage || s.texel < texel {
		if err := s.grow(d); err != nil {
			return nil, err
		}
	}
	s.sets--
	s.storage -= storage
	s.texel -= texel
	return s.pools[len(s.pools)-1], nil
}

func (s *setPools) grow(d *Device) error {
	info := vulkan.DescriptorPoolCreateInfo{
		SType: vulkan.StructureTypeDescriptorPoolCreateInfo, MaxSets: poolSets, PoolSizeCount: 2,
		PPoolSizes: []vulkan.DescriptorPoolSize{
			{Type: vulkan.DescriptorTypeStorageBuffer, DescriptorCount: poolStorage},
			{Type: vulkan.DescriptorTypeStorageTexelBuffer, DescriptorCount: poolTexel},
		},
	}
	defer info.Free()
	var pool vulkan.DescriptorPool
	if err := failed("vkCreateDescriptorPool", vulkan.CreateDescriptorPool(d.handle, &info, nil, &pool)); err != nil {
		return err
	}
	d.counts.add(descriptorPoolHandle, 1)
	s.pools = append(s.pools, pool)
	s.sets, s.storage, s.texel = poolSets, poolStorage, poolTexel
	return nil
}

func (s *setPools) destroy(d *Device) {
	for _, p := range s.pools {
		vulkan.DestroyDescriptorPool(d.handle, p, nil)
		d.counts.add(descriptorPoolHandle, -1)
	}
	*s = setPools{}
}
