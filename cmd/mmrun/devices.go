package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	kernels "github.com/mmrun/mmrun/ops/check"
	"github.com/mmrun/mmrun/vk"
)

func devicesCommand() *cli.Command {
	return &cli.Command{
		Name:      "devices",
		Category:  groupCheck,
		Usage:     "list the Vulkan devices and which one would be taken",
		UsageText: "mmrun devices [--json] [--device DEVICE]",
		Description: `The device marked * is the one that runs models: a discrete GPU before an integrated one, a virtual one, and the CPU last, unless --device or MMRUN_DEVICE says otherwise.

The limits are those that decide what fits: the largest buffer a shader can see, the largest allocation, shared memory and invocations of a workgroup.

Paths are ways of computing that the device takes; --disable or MMRUN_DISABLE switches them off, for a driver that gets one wrong or to see what one is worth: texel (read weights through texel buffers, which suits software devices), subgroup (sum within subgroups), coopmat (multiply cooperative matrices). One along which the driver was found to compute wrongly is not listed; mmrun selftest shows why.

Examples:
mmrun devices
mmrun devices --device 1
mmrun devices --json | jq -r '.[] | select(.default) | .name'`,
		Flags:  append(deviceFlags(), jsonFlag("print a JSON array of objects")),
		Action: devicesAction,
	}
}

func devicesAction(c *cli.Context) error {
	if err := cmp.Or(noArguments(c), checkDisable(c)); err != nil {
		return err
	}
	off, err := disabled(c)
	if err != nil {
		return err
	}
	list, err := vk.List(vk.Options{Device: c.String("device"), Disable: off, Validate: c.Bool("validate")})
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return vk.ErrNoDevice
	}
	for i := range list {
		if err := leaveOut(&list[i]); err != nil {
			return err
		}
	}
	if err := printDevices(c, list); err != nil {
		return err
	}
	if want := c.String("device"); !slices.ContainsFunc(list, func(info vk.Info) bool { return info.Default }) {
		return fmt.Errorf("no device matches %q", want)
	}
	return nil
}

// leaveOut takes from a device's paths those along which it is known to compute wrongly, as the opening of a model does.
func leaveOut(info *vk.Info) error {
	found, err := kernels.LeftOut("", *info)
	for _, f := range found {
		info.Paths = slices.DeleteFunc(slices.Clone(info.Paths), func(p vk.Path) bool { return p == f.Path || f.Path == vk.SubgroupPath && p == vk.CoopMatPath })
	}
	return err
}

func printDevices(c *cli.Context, list []vk.Info) error {
	if c.Bool("json") {
		reports := make([]deviceReport, len(list))
		for i, info := range list {
			reports[i] = reportDevice(info)
		}
		return printJSON(c, reports)
	}
	t := newTable("", ">#", "name", "type", "driver", "vulkan", ">memory", ">max buffer", ">max alloc", ">shared", ">workgroup", ">subgroup", "paths")
	for _, info := range list {
		mark := ""
		if info.Default {
			mark = "*"
		}
		t.add(mark, fmt.Sprint(info.Index), info.Name, info.Type.String(), driverOf(info), info.APIVersion,
			formatBytes(int64(info.Memory)), formatBytes(int64(info.Limits.MaxStorageBufferRange)),
			formatBytes(int64(min(info.Limits.MaxAllocation, math.MaxInt64))), formatBytes(int64(info.Limits.MaxSharedMemory)),
			fmt.Sprint(info.Limits.MaxInvocations), fmt.Sprint(info.Subgroup), joinPaths(info.Paths))
	}
	return printText(c, t.String())
}

func joinPaths(paths []vk.Path) string {
	names := make([]string, len(paths))
	for i, p := range paths {
		names[i] = string(p)
	}
	return strings.Join(names, ",")
}

func driverOf(info vk.Info) string {
	if info.DriverInfo == "" {
		return info.Driver
	}
	return info.Driver + " " + info.DriverInfo
}

// deviceReport is one device in --json; sizes are in bytes.
type deviceReport struct {
	Index      int          `json:"index"`
	Default    bool         `json:"default"`
	Name       string       `json:"name"`
	Type       string       `json:"type"`
	UUID       string       `json:"uuid"`
	VendorID   uint32       `json:"vendor_id"`
	DeviceID   uint32       `json:"device_id"`
	Driver     string       `json:"driver"`
	DriverInfo string       `json:"driver_info"`
	APIVersion string       `json:"api_version"`
	Memory     uint64       `json:"memory"`
	Subgroup   uint32       `json:"subgroup"`
	Paths      []vk.Path    `json:"paths"` // of computing that it takes
	Tile       [3]int       `json:"tile"`  // M, N and K of its cooperative matrices
	Limits     limitsReport `json:"limits"`
}

type limitsReport struct {
	MaxStorageBufferRange  uint32    `json:"max_storage_buffer_range"`
	MaxTexelBufferElements uint32    `json:"max_texel_buffer_elements"`
	MaxAllocation          uint64    `json:"max_allocation"`
	MaxSharedMemory        uint32    `json:"max_shared_memory"`
	MaxInvocations         uint32    `json:"max_invocations"`
	MaxPushConstants       uint32    `json:"max_push_constants"`
	MaxGroups              [3]uint32 `json:"max_groups"`
	StorageAlign           int64     `json:"storage_align"`
	TexelAlign             int64     `json:"texel_align"`
	TimestampPeriod        float64   `json:"timestamp_period_ns"`
}

func reportDevice(info vk.Info) deviceReport {
	l := info.Limits
	return deviceReport{
		Index: info.Index, Default: info.Default, Name: info.Name, Type: info.Type.String(), UUID: info.UUID,
		VendorID: info.VendorID, DeviceID: info.DeviceID, Driver: info.Driver, DriverInfo: info.DriverInfo,
		APIVersion: info.APIVersion, Memory: info.Memory, Subgroup: info.Subgroup,
		Paths: append([]vk.Path{}, info.Paths...), Tile: info.Tile,
		Limits: limitsReport{
			MaxStorageBufferRange: l.MaxStorageBufferRange, MaxTexelBufferElements: l.MaxTexelBufferElements,
			MaxAllocation: l.MaxAllocation, MaxSharedMemory: l.MaxSharedMemory, MaxInvocations: l.MaxInvocations,
			MaxPushConstants: l.MaxPushConstants, MaxGroups: l.MaxGroups,
			StorageAlign: l.StorageAlign, TexelAlign: l.TexelAlign, TimestampPeriod: l.TimestampPeriod,
		},
	}
}
