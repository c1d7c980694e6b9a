package vk

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	vulkan "github.com/goki/vulkan"
)

// Device is an open device with one compute queue. Close it last: it owns its pipelines, and
// reports buffers and command lists that were not closed.
type Device struct {
	inst   *instance
	phys   *physical
	handle vulkan.Device
	table  *C.mmr_table // in C memory: handed to every shim call
	counts handleCounts

	mu        sync.Mutex // guards everything below, the queue and the command pools of transfers
	closed    bool
	stuck     atomic.Bool // nobody knows whether the device is idle
	asked     bool        // for statistics of pipelines
	heap      heap
	queue     queue
	transfers transfers
	pipelines map[string]*Pipeline
	fitting   map[string]error // what Fits said, nil too
	cache     pipelineCache
	buffers   map[*Buffer]struct{}
	commands  map[*Commands]struct{}
	freed     uint64 // buffers closed so far; lets Submit skip its check for closed buffers
}

// Open opens a device. Errors: ErrNoLoader, ErrNoDevice, ErrValidation, *Error.
func Open(o Options) (_ *Device, err error) {
	off, err := o.disable()
	if err != nil {
		return nil, err
	}
	inst, err := openInstance(o.validate())
	if err != nil {
		return nil, err
	}
	d := &Device{
		inst:      inst,
		pipelines: map[string]*Pipeline{},
		fitting:   map[string]error{},
		buffers:   map[*Buffer]struct{}{},
		commands:  map[*Commands]struct{}{},
		asked:     o.Statistics,
	}
	d.counts.add(instanceHandle, 1)
	defer func() {
		if err != nil {
			d.destroy()
		}
	}()
	all, err := inst.physicals()
	if err != nil {
		return nil, err
	}
	var infos []Info
	for _, p := range all {
		infos = append(infos, p.info)
	}
	n, err := choose(infos, o.device())
	if err != nil {
		return nil, err
	}
	d.phys = all[n]
	d.phys.info.Default = true
	d.phys.take(off)
	d.queue.pace.Pace = NewPace(d.phys.info.Type)
	if err := d.create(); err != nil {
		return nil, err
	}
	d.heap.init(d)
	if err := d.openCache(o.CacheDir); err != nil {
		return nil, err
	}
	return d, d.said()
}

// create makes the VkDevice, its queue and its function table.
func (d *Device) create() error {
	var extensions []string
	if d.phys.c.portability_subset != 0 { // must be enabled where it exists
		extensions = append(extensions, "VK_KHR_portability_subset\x00")
	}
	if !d.phys.info.Takes(CoopMatPath) {
		d.phys.c.features &^= C.MMR_COOPMAT
	}
	// A device may be newer than the instance was asked for; what exceeds it is out of bounds.
	features := d.phys.c.features &^ C.MMR_STATISTICS
	if d.asked {
		if d.phys.c.features&C.MMR_STATISTICS == 0 {
			return fmt.Errorf("device %s: the driver tells nothing of pipelines (%s)", d.phys.info.Name, statisticsExtension)
		}
		features |= C.MMR_STATISTICS
		extensions = append(extensions, statisticsExtension+"\x00")
	}
	if d.phys.info.Takes(CoopMatPath) {
		extensions = append(extensions, "VK_KHR_cooperative_matrix\x00")
	}
	chain := C.mmr_feature_chain(features, C.uint32_t(min(uint32(d.phys.c.api), d.inst.api)))
	if chain == nil {
		return &Error{"vkCreateDevice", outOfHostMemory}
	}
	defer C.mmr_free_feature_chain(chain)
	priority := []float32{1}
	var pin runtime.Pinner // the binding stores the pointer in C memory
	pin.Pin(&priority[0])
	defer pin.Unpin()
	info := vulkan.DeviceCreateInfo{
		SType: vulkan.StructureTypeDeviceCreateInfo, PNext: chain,
		QueueCreateInfoCount: 1,
		PQueueCreateInfos: []vulkan.DeviceQueueCreateInfo{{
			SType: vulkan.StructureTypeDeviceQueueCreateInfo, QueueFamilyIndex: d.phys.family,
			QueueCount: 1, PQueuePriorities: priority,
		}},
		EnabledExtensionCount: uint32(len(extensions)), PpEnabledExtensionNames: extensions,
	}
	defer info.Free()
	var handle vulkan.Device
	if err := failed("vkCreateDevice", vulkan.CreateDevice(d.phys.handle, &info, nil, &handle)); err != nil {
		return err
	}
	d.handle = handle
	d.counts.add(deviceHandle, 1)
	var q vulkan.Queue
	vulkan.GetDeviceQueue(handle, d.phys.family, 0, &q)
	d.table = (*C.mmr_table)(C.calloc(1, C.sizeof_mmr_table))
	if name := C.mmr_open_table(d.inst.c, cast[C.VkDevice](handle), cast[C.VkQueue](q), d.table); name != nil {
		return fmt.Errorf("device %s: the driver has no %s", d.phys.info.Name, C.GoString(name))
	}
	return d.said()
}

// Info describes the device.
func (d *Device) Info() Info { return d.phys.info }

// said returns what the validation layer reported since it was last asked.
func (d *Device) said() error { return d.inst.messages.take() }

// usable is ErrClosed after Close. The caller holds mu.
func (d *Device) usable() error {
	if d.closed {
		return fmt.Errorf("device: %w", ErrClosed)
	}
	return nil
}

// Close waits for the device, then destroys everything that was made from it, also what its users
// forgot: those are named in the error. The error also has what the validation layer said last.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.usable(); err != nil {
		return err
	}
	d.closed = true
	err := d.queue.drain(d) // vkDeviceWaitIdle would do, but crashes drivers that only compile
	if busy := d.leave(); busy != nil {
		return errors.Join(err, busy)
	}
	leaks := d.leaks()
	return errors.Join(err, leaks, d.destroy())
}

// leaks names what is still open, and nil when nothing is.
func (d *Device) leaks() error {
	var names []string
	for b := range d.buffers {
		names = append(names, fmt.Sprintf("a %v buffer of %d bytes", b.where, b.size))
	}
	for c := range d.commands {
		names = append(names, fmt.Sprintf("a command list with %d dispatches", c.dispatches))
	}
	if len(names) == 0 {
		return nil
	}
	sort.Strings(names)
	total := len(names)
	if total > 8 {
		names = append(names[:8], fmt.Sprintf("and %d more", total-8))
	}
	return fmt.Errorf("device closed with %d objects not closed before: %s", total, strings.Join(names, ", "))
}

// destroy frees everything in the order Vulkan asks for. The device is idle, or was never used.
func (d *Device) destroy() error {
	if d.handle != nil {
		for c := range d.commands {
			c.destroy()
		}
		d.transfers.destroy(d)
		for b := range d.buffers {
			d.destroyBuffer(b)
		}
		for _, p := range d.pipelines {
			p.destroy()
		}
		d.closeCache()
		d.queue.destroy(d)
		d.heap.destroy()
	}
	err := d.said()
	if d.handle != nil {
		vulkan.DestroyDevice(d.handle, nil)
		d.counts.add(deviceHandle, -1)
		d.handle = nil
	}
	C.free(unsafe.Pointer(d.table))
	d.table = nil
	err = errors.Join(err, d.inst.close())
	d.counts.add(instanceHandle, -1)
	return err
}
