package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	kernels "github.com/mmrun/mmrun/ops/check"
	"github.com/mmrun/mmrun/vk"
)

func selftestCommand() *cli.Command {
	return &cli.Command{
		Name:      "selftest",
		Category:  groupCheck,
		Usage:     "run every kernel on the device and compare with plain Go",
		UsageText: "mmrun selftest [--json] [--device DEVICE]",
		Description: `Runs every kernel of every path that the device takes with random numbers, compares what comes out with the same in plain Go, looks at what lies behind every buffer, and runs small models whose logits are known. Kernels are small here, so that GB/s and GFLOP/s say how drivers differ, not what a device can do: mmrun bench --limits does that.

Takes up to a minute on a CPU, of which nearly all is the driver's compiling. A path that computes wrongly is left out from then on, with a line on standard error, until the driver or mmrun is another one. A short form of this runs by itself the first time a model is opened on a device and driver.

The exit status is 1 when anything is wrong. For a report of a bug, send what --json prints.

Examples:
mmrun selftest
mmrun selftest --device 1
mmrun selftest --json > report.json`,
		Flags:  append(deviceFlags(), quietFlag(), jsonFlag("print one JSON object, with the device, its limits and the versions")),
		Action: selftestAction,
	}
}

func selftestAction(c *cli.Context) error {
	if err := cmp.Or(noArguments(c), checkDisable(c)); err != nil {
		return err
	}
	off, err := disabled(c)
	if err != nil {
		return err
	}
	s := &selftest{options: vk.Options{Device: c.String("device"), Disable: off, Validate: c.Bool("validate")}, console: newConsole(c.App.ErrWriter, c.Bool("quiet"), signalsOf(c))}
	start := time.Now()
	if err := s.run(c); err != nil {
		return err
	}
	s.seconds = time.Since(start).Seconds()
	if err := s.report(c); err != nil {
		return err
	}
	if wrong := s.wrong(); len(wrong) > 0 {
		return fmt.Errorf("the device computes wrongly: %s", strings.Join(wrong, ", "))
	}
	return nil
}

// selftest is one run of the command.
type selftest struct {
	options vk.Options
	console *console
	info    vk.Info
	kernels []kernels.Result
	models  []modelResult
	stats   vk.Stats
	seconds float64
}

func (s *selftest) run(c *cli.Context) error {
	device, err := vk.Open(s.options)
	if err != nil {
		return err
	}
	s.info = device.Info()
	progress := s.console.progress("kernels", trialWords)
	s.kernels, err = kernels.Kernels(device, func(trial, all int) { progress(int64(trial), int64(all)) })
	s.console.clear()
	s.stats = device.Stats()
	if err = errors.Join(err, device.Close()); err != nil {
		return err
	}
	if err := kernels.Keep("", s.info, s.kernels); err != nil {
		s.console.warn("%v", err) // it is found anew the next time
	}
	return s.runModels(c)
}

func trialWords(done, total int64, _ time.Duration) string {
	return fmt.Sprintf("trial %d of %d", done, total)
}

// wrong names what was.
func (s *selftest) wrong() (names []string) {
	for _, k := range s.kernels {
		if k.Wrong != "" {
			names = append(names, k.Kernel)
		}
	}
	for _, m := range s.models {
		if m.Wrong != "" {
			names = append(names, m.Model+" along "+m.Path)
		}
	}
	return names
}

// kernelReport is one kernel in --json.
type kernelReport struct {
	Kernel string  `json:"kernel"`
	Path   string  `json:"path"`
	Error  float64 `json:"largest_error"`
	Wrong  string  `json:"wrong,omitempty"`
	Micros float64 `json:"us"`
	GBs    float64 `json:"gb_per_s"`
	GFLOPs float64 `json:"gflop_per_s"`
}

// selftestReport is what --json prints.
type selftestReport struct {
	OK      bool           `json:"ok"`
	Version string         `json:"version"`
	Device  deviceReport   `json:"device"`
	Seconds float64        `json:"seconds"`
	Longest float64        `json:"longest_submission_ms"`
	Kernels []kernelReport `json:"kernels"`
	Models  []modelResult  `json:"models"`
}

func reportKernel(r kernels.Result) kernelReport {
	k := kernelReport{Kernel: r.Kernel, Path: string(r.Path), Error: r.Error, Wrong: r.Wrong, Micros: r.Time.Seconds() * 1e6}
	if r.Time > 0 {
		k.GBs, k.GFLOPs = float64(r.Bytes)/r.Time.Seconds()/1e9, float64(r.Flops)/r.Time.Seconds()/1e9
	}
	return k
}

func (s *selftest) report(c *cli.Context) error {
	report := selftestReport{OK: len(s.wrong()) == 0, Version: version(), Device: reportDevice(s.info), Seconds: s.seconds,
		Longest: s.stats.Longest.Seconds() * 1e3, Models: s.models}
	for _, r := range s.kernels {
		report.Kernels = append(report.Kernels, reportKernel(r))
	}
	if c.Bool("json") {
		return printJSON(c, report)
	}
	text := fmt.Sprintf("device  %s (%s), %s, Vulkan %s\nmmrun   %s\npaths   %s\n\n", s.info.Name, s.info.Type, driverOf(s.info), s.info.APIVersion, report.Version, joinPaths(s.info.Paths))
	t := newTable("kernel", "path", ">largest error", ">µs", ">GB/s", ">GFLOP/s", "")
	for _, k := range report.Kernels {
		t.add(k.Kernel, k.Path, fmt.Sprintf("%.1e", k.Error), fmt.Sprintf("%.1f", k.Micros), fmt.Sprintf("%.3f", k.GBs), fmt.Sprintf("%.3f", k.GFLOPs), cmp.Or(k.Wrong, "right"))
	}
	m := newTable("model", "path", ">largest error", "")
	for _, r := range s.models {
		m.add(r.Model, r.Path, fmt.Sprintf("%.1e", float64(r.Error)), cmp.Or(r.Wrong, "right"))
	}
	count := len(report.Kernels) + len(report.Models)
	wrong := len(s.wrong())
	return printText(c, text+t.String()+"\n"+m.String()+fmt.Sprintf("\n%d right, %d wrong, in %.1f s\n", count-wrong, wrong, s.seconds))
}

// ways are the paths that models run along, each with what is switched off for it, beginning with the one that the
// device takes.
func ways(info vk.Info) (names []string, off [][]vk.Path) {
	for _, w := range []struct {
		name  string
		needs vk.Path
		off   []vk.Path
	}{
		{"texel", vk.TexelPath, nil}, {"coopmat", vk.CoopMatPath, []vk.Path{vk.TexelPath}},
		{"subgroup", vk.SubgroupPath, []vk.Path{vk.TexelPath, vk.CoopMatPath}}, {"ssbo", "", vk.Paths},
	} {
		if w.needs == "" || info.Takes(w.needs) {
			names, off = append(names, w.name), append(off, slices.Clone(w.off))
		}
	}
	return names, off
}
