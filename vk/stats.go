package vk

import (
	"sync/atomic"
	"time"
)

// handleKind counts Vulkan objects by kind.
type handleKind int

const (
	instanceHandle handleKind = iota
	deviceHandle
	memoryHandle
	bufferHandle
	viewHandle
	shaderHandle
	setLayoutHandle
	pipelineLayoutHandle
	pipelineHandle
	cacheHandle
	descriptorPoolHandle
	commandPoolHandle
	queryPoolHandle
	fenceHandle
	handleKinds
)

var handleNames = [handleKinds]string{
	"instance", "device", "memory", "buffer", "buffer view", "shader module", "descriptor set layout",
	"pipeline layout", "pipeline", "pipeline cache", "descriptor pool", "command pool", "query pool", "fence",
}

// handleCounts are the objects alive now, and made so far.
type handleCounts struct {
	live, made [handleKinds]atomic.Int64
}

func (h *handleCounts) add(k handleKind, n int64) {
	h.live[k].Add(n)
	if n > 0 {
		h.made[k].Add(n)
	}
}

// Stats says what a device holds. It may be asked after Close.
type Stats struct {
	DeviceBytes, HostBytes int64 // allocated from Vulkan now, in blocks
	DevicePeak, HostPeak   int64 // the most they have been
	DeviceUsed, HostUsed   int64 // of them in buffers
	StagingBytes           int64 // of HostUsed: the staging ring of Upload and Download
	Handles                map[string]int
	Made                   map[string]int // handles created since Open, by kind
	Submissions            int64          // to the queue since Open
	Longest                time.Duration  // that one of a known load took, of those that were measured
}

// Stats returns the current numbers.
func (d *Device) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	dev, host := &d.heap.kinds[DeviceLocal], &d.heap.kinds[HostVisible]
	s := Stats{
		DeviceBytes: dev.held, DevicePeak: dev.peak, DeviceUsed: dev.used,
		HostBytes: host.held, HostPeak: host.peak, HostUsed: host.used,
		StagingBytes: d.transfers.bytes, Submissions: d.queue.submitted,
		Handles: map[string]int{}, Made: map[string]int{},
	}
	d.queue.pace.Lock()
	s.Longest = d.queue.pace.longest
	d.queue.pace.Unlock()
	for k, name := range handleNames {
		s.Handles[name] = int(d.counts.live[k].Load())
		s.Made[name] = int(d.counts.made[k].Load())
	}
	return s
}
