package check

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/shaders"
	"github.com/mmrun/mmrun/vk"
)

// A verdict is what was found of a device and driver. It is kept beside the device's pipeline cache.
type verdict struct {
	Of    string         `json:"of"`    // the device, its driver and the shaders
	Right []graph.Access `json:"right"` // paths that were tried and are right
	Wrong []Finding      `json:"wrong"`
}

// A Finding is a path that a device computes wrongly along.
type Finding struct {
	Path   vk.Path `json:"path"`
	Kernel string  `json:"kernel"` // the first one that did
	What   string  `json:"what"`
}

// String is what users are told.
func (f Finding) String() string {
	return fmt.Sprintf("path %s is left out: the driver computes wrongly along it (%s: %s)", f.Path, f.Kernel, f.What)
}

// pathFor is the path to switch off where a way of reading is wrong, none for the last.
var pathFor = map[graph.Access]vk.Path{graph.Texel: vk.TexelPath, graph.Subgroup: vk.SubgroupPath, graph.CoopMat: vk.CoopMatPath}

// Open is vk.Open for the running of models. What a device and driver were not tried with before by this build's
// shaders is tried first, within a second or so, and a path along which they compute wrongly is left out, which warn
// (it may be nil) is told of every time. It is an error where the last way of computing is wrong, too.
func Open(o vk.Options, warn func(line string)) (*vk.Device, error) {
	told := map[vk.Path]bool{}
	for {
		device, err := vk.Open(o)
		if err != nil {
			return nil, err
		}
		info, access := device.Info(), graph.New(device).Access()
		v, err := verdictOf(o.CacheDir, info)
		i := slices.IndexFunc(v.Wrong, func(f Finding) bool { return info.Takes(f.Path) })
		if err == nil && i < 0 && slices.Contains(v.Right, access) {
			return device, nil
		}
		if err == nil && i < 0 {
			if err = v.try(device, access); err == nil {
				v.keep(o.CacheDir, info) // where it cannot be kept it is found anew the next time
			}
		}
		if closing := device.Close(); err != nil {
			return nil, err
		} else if closing != nil {
			return nil, closing
		}
		if i < 0 {
			continue
		}
		f := v.Wrong[i]
		if warn != nil && !told[f.Path] {
			warn(fmt.Sprintf("device %s: %s", info.Name, f))
		}
		told[f.Path] = true
		o.Disable = []vk.Path{f.Path}
		for _, p := range vk.Paths { // what was switched off or never there stays so
			if !info.Takes(p) {
				o.Disable = append(o.Disable, p)
			}
		}
	}
}

// try runs the quick trials along a path and takes in what they say.
func (v *verdict) try(device *vk.Device, access graph.Access) error {
	results, err := quick(device, access)
	if err != nil && !errors.Is(err, vk.ErrDeviceLost) {
		return err // which says nothing of the path
	}
	if err != nil {
		results = []Result{{Kernel: "the device", Path: access, Wrong: err.Error()}}
	}
	v.take(results)
	if i := slices.IndexFunc(results, func(r Result) bool { return r.Wrong != "" }); i < 0 {
		v.Right = append(v.Right, access)
	} else if _, ok := pathFor[results[i].Path]; !ok {
		return fmt.Errorf("device %s fails the self-test (%s: %s); another is chosen by --device or MMRUN_DEVICE, and mmrun selftest shows all",
			device.Info().Name, results[i].Kernel, results[i].Wrong)
	}
	return nil
}

// take adds the paths along which results are wrong, each once.
func (v *verdict) take(results []Result) {
	for _, r := range results {
		path, ok := pathFor[r.Path]
		if r.Wrong == "" || !ok || slices.ContainsFunc(v.Wrong, func(f Finding) bool { return f.Path == path }) {
			continue
		}
		v.Wrong = append(v.Wrong, Finding{path, r.Kernel, r.Wrong})
	}
}

// Keep keeps what all trials have found of a device, in place of what was known. dir is as in vk.Options.CacheDir.
func Keep(dir string, info vk.Info, results []Result) error {
	v, err := verdictOf(dir, info)
	if err != nil {
		return err
	}
	v.Right, v.Wrong = nil, nil
	v.take(results)
	for _, access := range Paths(info) {
		if !slices.ContainsFunc(results, func(r Result) bool { return r.Wrong != "" && r.Path == access }) {
			v.Right = append(v.Right, access)
		}
	}
	return v.keep(dir, info)
}

// LeftOut are the paths that a device is known to compute wrongly along.
func LeftOut(dir string, info vk.Info) ([]Finding, error) {
	v, err := verdictOf(dir, info)
	if err != nil {
		return nil, err
	}
	return v.Wrong, nil
}

// name is that of the verdict's file: devices and drivers that call themselves alike may still be several.
func (v *verdict) name() string {
	sum := sha256.Sum256([]byte(v.Of))
	return fmt.Sprintf("verdict-%x", sum[:4])
}

// inProcess are verdicts by what they are of, for where none can be kept.
var inProcess sync.Map

// verdictOf returns what is known of a device, nothing where that is of another driver or other shaders or cannot be read.
func verdictOf(dir string, info vk.Info) (*verdict, error) {
	fingerprint, err := shaders.Fingerprint()
	if err != nil {
		return nil, err
	}
	of := fmt.Sprintf("%s, %s %s, Vulkan %s, shaders %s", info.Name, info.Driver, info.DriverInfo, info.APIVersion, fingerprint)
	if v, ok := inProcess.Load(dir + of); ok {
		known := v.(verdict)
		return &verdict{of, slices.Clone(known.Right), slices.Clone(known.Wrong)}, nil
	}
	v := &verdict{Of: of}
	data, err := vk.Kept(dir, info, v.name())
	if err != nil || json.Unmarshal(data, v) != nil || v.Of != of {
		return &verdict{Of: of}, nil
	}
	return v, nil
}

// keep keeps the verdict for this process, and if that is possible for others.
func (v *verdict) keep(dir string, info vk.Info) error {
	inProcess.Store(dir+v.Of, verdict{v.Of, slices.Clone(v.Right), slices.Clone(v.Wrong)})
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return vk.Keep(dir, info, v.name(), append(data, '\n'))
}
