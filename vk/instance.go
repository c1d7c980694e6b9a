package vk

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	vulkan "github.com/goki/vulkan"
)

// cast reads a handle of the binding as the shim's type of the same handle, or back. Going through
// memory, not unsafe.Pointer, keeps small-integer handles out of the garbage collector's sight.
func cast[T, F any](h F) T { return *(*T)(unsafe.Pointer(&h)) }

// loader is the process's Vulkan entry point. The binding keeps its function pointers in globals,
// so there is one, and lock is held while they are filled in.
var loader struct {
	sync.Mutex
	get unsafe.Pointer
}

// load opens the loader library once per process; a failure is tried again by the next call.
func load() (unsafe.Pointer, error) {
	if loader.get != nil {
		return loader.get, nil
	}
	get := C.mmr_load()
	if get == nil {
		return nil, ErrNoLoader
	}
	vulkan.SetGetInstanceProcAddr(get)
	if err := vulkan.Init(); err != nil {
		return nil, fmt.Errorf("vulkan loader: %w", err)
	}
	loader.get = get
	return get, nil
}

// instance is a VkInstance with its validation messenger.
type instance struct {
	handle   vulkan.Instance
	c        *C.mmr_instance // in C memory
	messages *collector      // nil without validation
	api      uint32          // what was asked for
}

func openInstance(validate bool) (_ *instance, err error) {
	loader.Lock()
	defer loader.Unlock()
	get, err := load()
	if err != nil {
		return nil, err
	}
	// 1.0 loaders refuse a higher version; ask for what is there, up to 1.3.
	i := &instance{api: min(uint32(C.mmr_instance_version(get)), uint32(C.VK_API_VERSION_1_3))}
	if i.api < uint32(C.VK_API_VERSION_1_1) {
		return nil, fmt.Errorf("%w: the Vulkan loader is version 1.0, 1.1 is needed", ErrNoDevice)
	}
	defer func() {
		if err != nil {
			i.close()
		}
	}()
	if err := i.create(get, validate); err != nil {
		return nil, err
	}
	if err := vulkan.InitInstance(i.handle); err != nil {
		return nil, err
	}
	var id C.uintptr_t
	if i.messages != nil {
		id = C.uintptr_t(i.messages.id)
	}
	i.c = (*C.mmr_instance)(C.calloc(1, C.sizeof_mmr_instance))
	r := C.mmr_open_instance(i.c, get, cast[C.VkInstance](i.handle), id)
	if err := failed("vkCreateDebugUtilsMessengerEXT", int32(r)); err != nil {
		return nil, err
	}
	return i, i.messages.take()
}

func (i *instance) create(get unsafe.Pointer, validate bool) error {
	layers, extensions, err := i.wanted(get, validate)
	if err != nil {
		return err
	}
	app := vulkan.ApplicationInfo{
		SType: vulkan.StructureTypeApplicationInfo, ApiVersion: i.api,
		PApplicationName: "mmrun\x00", PEngineName: "mmrun\x00",
	}
	info := vulkan.InstanceCreateInfo{
		SType: vulkan.StructureTypeInstanceCreateInfo, PApplicationInfo: &app,
		EnabledLayerCount: uint32(len(layers)), PpEnabledLayerNames: layers,
		EnabledExtensionCount: uint32(len(extensions)), PpEnabledExtensionNames: extensions,
	}
	for _, e := range extensions {
		if e == portabilityExtension {
			info.Flags = 1 // VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR
		}
	}
	if validate {
		i.messages = newCollector()
		chain := C.mmr_validation_chain(C.uintptr_t(i.messages.id))
		if chain == nil {
			return &Error{"vkCreateInstance", outOfHostMemory}
		}
		defer C.mmr_free_validation_chain(chain)
		info.PNext = chain
	}
	defer info.Free()
	defer app.Free()
	var handle vulkan.Instance
	r := vulkan.CreateInstance(&info, nil, &handle)
	if Result(r) == incompatibleDriver {
		return fmt.Errorf("%w: no driver is installed (%w)", ErrNoDevice, &Error{"vkCreateInstance", Result(r)})
	}
	if err := failed("vkCreateInstance", int32(r)); err != nil {
		return errors.Join(err, i.messages.take())
	}
	i.handle = handle
	return nil
}

const portabilityExtension = "VK_KHR_portability_enumeration\x00"

// wanted lists the layers and extensions to enable, each name ending in NUL.
func (i *instance) wanted(get unsafe.Pointer, validate bool) (layers, extensions []string, err error) {
	has := func(layer, name string) (bool, error) {
		var l *C.char
		if layer != "" {
			l = C.CString(layer)
			defer C.free(unsafe.Pointer(l))
		}
		n := C.CString(name)
		defer C.free(unsafe.Pointer(n))
		r := C.mmr_has_extension(get, l, n)
		return r > 0, failed("vkEnumerateInstanceExtensionProperties", int32(r))
	}
	// MoltenVK devices are listed only to those who ask.
	if ok, err := has("", portabilityExtension[:len(portabilityExtension)-1]); err != nil {
		return nil, nil, err
	} else if ok {
		extensions = append(extensions, portabilityExtension)
	}
	if !validate {
		return nil, extensions, nil
	}
	name := C.CString(validationLayer)
	defer C.free(unsafe.Pointer(name))
	r := C.mmr_has_layer(get, name)
	if err := failed("vkEnumerateInstanceLayerProperties", int32(r)); err != nil {
		return nil, nil, err
	}
	if r == 0 {
		return nil, nil, fmt.Errorf("%w: layer %s is not installed (Debian, Ubuntu: vulkan-validationlayers)", ErrValidation, validationLayer)
	}
	for _, e := range []string{"VK_EXT_debug_utils", "VK_EXT_validation_features"} {
		ok, err := has(validationLayer, e)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			return nil, nil, fmt.Errorf("%w: layer %s lacks %s", ErrValidation, validationLayer, e)
		}
		extensions = append(extensions, e+"\x00")
	}
	return []string{validationLayer + "\x00"}, extensions, nil
}

// close destroys the instance and returns what the layer said last.
func (i *instance) close() error {
	if i.c != nil {
		C.mmr_close_instance(i.c)
		C.free(unsafe.Pointer(i.c))
		i.c = nil
	}
	if i.handle != nil {
		vulkan.DestroyInstance(i.handle, nil)
		i.handle = nil
	}
	err := i.messages.take()
	i.messages.close()
	return err
}
