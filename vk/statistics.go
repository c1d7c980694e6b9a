package vk

/*
#include "shim.h"
*/
import "C"

import (
	"cmp"
	"fmt"
	"slices"
)

const statisticsExtension = "VK_KHR_pipeline_executable_properties"

// PipelineStatistics is what a driver tells of a compiled pipeline.
type PipelineStatistics struct {
	Name    string           // given to Device.Pipeline
	Spec    []uint32         // its specialization constants
	Numbers map[string]int64 // by the driver's names, such as RADV's "VGPRs" and "Spilled VGPRs"
}

func (d *Device) pipelineFlags() C.uint32_t {
	if d.asked {
		return C.VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR
	}
	return 0
}

// Statistics tells of all pipelines made so far, by name and specialization constants, on a device
// opened with Options.Statistics.
func (d *Device) Statistics() ([]PipelineStatistics, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.usable(); err != nil {
		return nil, err
	}
	if !d.asked || d.table.statistics == nil {
		return nil, fmt.Errorf("device %s: opened without statistics of pipelines", d.phys.info.Name)
	}
	var all []PipelineStatistics
	for _, p := range d.pipelines {
		var numbers [C.MMR_MAX_STATISTICS]C.mmr_statistic
		var n C.uint32_t
		r := C.mmr_statistics(d.table, cast[C.VkPipeline](p.handle), &numbers[0], &n)
		if err := failed("vkGetPipelineExecutableStatisticsKHR", int32(r)); err != nil {
			return nil, fmt.Errorf("pipeline %s: %w", p.name, err)
		}
		s := PipelineStatistics{Name: p.name, Spec: slices.Clone(p.spec), Numbers: map[string]int64{}}
		for _, number := range numbers[:n] {
			s.Numbers[C.GoString(&number.name[0])] = int64(number.value)
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b PipelineStatistics) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), slices.Compare(a.Spec, b.Spec))
	})
	return all, d.said()
}
