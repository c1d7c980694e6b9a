package vk

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	vulkan "github.com/goki/vulkan"
)

// Options says which device to open and how.
type Options struct {
	// Device picks the device: an index of List, a UUID, or a part of a name (any case); digits alone are an index. When
	// empty the environment variable MMRUN_DEVICE is used, and when that is empty too the best
	// one is taken: discrete before integrated, virtual and CPU.
	Device string
	// Disable switches paths off; when empty the environment variable MMRUN_DISABLE is used.
	Disable []Path
	// Validate switches the validation layer on, as does MMRUN_VALIDATE=1.
	Validate bool
	// CacheDir is the folder of the pipeline cache; empty means mmrun in the user's cache folder.
	CacheDir string
	// Statistics has the driver keep what it knows of compiled pipelines, for Device.Statistics.
	Statistics bool
}

func (o Options) validate() bool { return o.Validate || os.Getenv("MMRUN_VALIDATE") == "1" }

func (o Options) device() string {
	if o.Device != "" {
		return o.Device
	}
	return os.Getenv("MMRUN_DEVICE")
}

// List returns the devices that can be used: those with Vulkan 1.1 and a compute queue. Default
// marks the one Open(o) would take; none is marked when o names a device that is not there.
func List(o Options) ([]Info, error) {
	off, err := o.disable()
	if err != nil {
		return nil, err
	}
	i, err := openInstance(o.validate())
	if err != nil {
		return nil, err
	}
	all, err := i.physicals()
	var infos []Info
	for _, p := range all {
		p.take(off)
		infos = append(infos, p.info)
	}
	if n, e := choose(infos, o.device()); e == nil {
		infos[n].Default = true
	}
	return infos, errors.Join(err, i.close())
}

// physicals returns the usable devices in the loader's order.
func (i *instance) physicals() ([]*physical, error) {
	var n uint32
	if err := failed("vkEnumeratePhysicalDevices", vulkan.EnumeratePhysicalDevices(i.handle, &n, nil)); err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, nil
	}
	handles := make([]vulkan.PhysicalDevice, n)
	if err := failed("vkEnumeratePhysicalDevices", vulkan.EnumeratePhysicalDevices(i.handle, &n, handles)); err != nil {
		return nil, err
	}
	var all []*physical
	for _, h := range handles[:n] {
		if p, ok := i.describe(h); ok {
			p.info.Index = len(all)
			all = append(all, p)
		}
	}
	return all, i.messages.take()
}

// choose returns the position of the device that want names, or of the best one when want is empty.
func choose(infos []Info, want string) (int, error) {
	if len(infos) == 0 {
		return 0, fmt.Errorf("%w: none with Vulkan 1.1 and compute was found (a driver may be missing, or the user may not be in the group render)", ErrNoDevice)
	}
	if want == "" {
		best := 0
		for i, d := range infos {
			if d.Type < infos[best].Type {
				best = i
			}
		}
		return best, nil
	}
	for i, d := range infos {
		if strconv.Itoa(d.Index) == want || strings.EqualFold(d.UUID, want) {
			return i, nil
		}
	}
	// A part of a name may fit several devices of one kind: the first of the best kind is meant.
	found := -1
	digits := strings.Trim(want, "0123456789") == "" // an index that there is not, though many a name has such digits
	for i, d := range infos {
		if !digits && strings.Contains(strings.ToLower(d.Name), strings.ToLower(want)) && (found < 0 || d.Type < infos[found].Type) {
			found = i
		}
	}
	if found >= 0 {
		return found, nil
	}
	var have []string
	for _, d := range infos {
		have = append(have, fmt.Sprintf("%d: %s (%v)", d.Index, d.Name, d.Type))
	}
	return 0, fmt.Errorf("%w %q; there is %s", ErrNoDevice, want, strings.Join(have, ", "))
}
