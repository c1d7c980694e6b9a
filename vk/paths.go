package vk

/*
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// A Path is a way of computing that is taken where a device can and gains by it. Every path can be
// switched off, and what is computed without it is the same within rounding.
type Path string

// The paths.
const (
	TexelPath    Path = "texel"    // read through texel buffers: software devices that take large ones
	SubgroupPath Path = "subgroup" // sum among the invocations of a subgroup before shared memory is asked
	CoopMatPath  Path = "coopmat"  // multiply cooperative matrices: VK_KHR_cooperative_matrix; needs subgroup
)

// Paths are all there are.
var Paths = []Path{TexelPath, SubgroupPath, CoopMatPath}

// ParsePaths reads names separated by commas, of which there may be none.
func ParsePaths(names string) ([]Path, error) {
	var paths []Path
	for name := range strings.SplitSeq(names, ",") {
		p := Path(strings.TrimSpace(name))
		if p == "" {
			continue
		}
		if !slices.Contains(Paths, p) {
			return nil, fmt.Errorf("path %q is not known (%s are)", p, joinPaths(Paths))
		}
		paths = append(paths, p)
	}
	return paths, nil
}

func joinPaths(paths []Path) string {
	var names []string
	for _, p := range paths {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}

// disable is what the options or, where they name nothing, MMRUN_DISABLE switch off.
func (o Options) disable() ([]Path, error) {
	if len(o.Disable) > 0 {
		return o.Disable, nil
	}
	paths, err := ParsePaths(os.Getenv("MMRUN_DISABLE"))
	if err != nil {
		return nil, fmt.Errorf("MMRUN_DISABLE: %w", err)
	}
	return paths, nil
}

// Takes says whether the device takes a path.
func (i Info) Takes(p Path) bool { return slices.Contains(i.Paths, p) }

// Software says whether the device wants kernels for software devices: few invocations, each with much to do,
// and no memory shared by a workgroup. A CPU does, unless the texel path is closed or switched off, so that it
// runs those for GPUs.
func (i Info) Software() bool { return i.Takes(TexelPath) }

// take fills in the paths that the device takes when some are switched off.
func (d *physical) take(off []Path) {
	d.info.Paths = nil
	for _, p := range Paths {
		needs := p
		if p == CoopMatPath {
			needs = SubgroupPath
		}
		if d.can(p) && !slices.Contains(off, p) && !slices.Contains(off, needs) {
			d.info.Paths = append(d.info.Paths, p)
		}
	}
}

// What the texel path wants of a device: a model's largest matrix in one binding (256 MiB), and bindings for all that a
// kernel reads.
const leastTexels, leastTexelBindings = 1 << 24, 16

// can says whether a path is open to the device. What works on whole subgroups wants to know how many
// invocations they have, and workgroups here are of at least 128.
func (d *physical) can(p Path) bool {
	const largest, arithmetic, shuffle, compute = 128, 1 << 2, 1 << 4, 0x20
	c, size := &d.c, d.info.Subgroup
	whole := c.features&C.MMR_SUBGROUP_SIZE != 0 && c.subgroup_required_stages&compute != 0 &&
		uint32(c.subgroup_min) <= size && size <= uint32(c.subgroup_max) && size >= 1 && largest%size == 0
	switch p {
	case TexelPath:
		return d.info.Type == CPU && d.info.Limits.MaxTexelBufferElements >= leastTexels &&
			uint32(c.limits.maxPerStageDescriptorStorageImages) >= leastTexelBindings
	case SubgroupPath:
		return whole && c.subgroup_stages&compute != 0 && c.subgroup_operations&(arithmetic|shuffle) == arithmetic|shuffle
	case CoopMatPath:
		// Every subgroup of a workgroup has its share of 64×64 numbers.
		tile := d.info.Tile
		return d.can(SubgroupPath) && c.features&C.MMR_COOPMAT != 0 && c.features&C.MMR_FLOAT16 != 0 &&
			64/tile[0]*(64/tile[1])*int(size)%largest == 0
	}
	return false
}
