// Package check holds the kernels of a device to the references of ops/ref while mmrun is in use: drivers have
// compiled shaders wrongly, and what such a driver computes must not pass for a model's answer.
package check

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/vk"
)

// A Result is how one kernel did.
type Result struct {
	Kernel string        // the shader's variant, such as gemv.f32.texel
	Path   graph.Access  // whose kernel it is
	Error  float64       // the largest difference from the reference, in all trials that it was in
	Wrong  string        // what was wrong in the first of them that failed, or nothing
	Time   time.Duration // of one run, 0 where the device has no time stamps or it was not asked for
	Bytes  int64         // moved by it at the least
	Flops  int64         // floating point operations
}

// Paths are the ways of reading for which a device has kernels, each after those it falls back to.
func Paths(info vk.Info) []graph.Access {
	all := []graph.Access{graph.Buffer}
	for _, p := range []struct {
		path vk.Path
		as   graph.Access
	}{{vk.SubgroupPath, graph.Subgroup}, {vk.CoopMatPath, graph.CoopMat}, {vk.TexelPath, graph.Texel}} {
		if info.Takes(p.path) {
			all = append(all, p.as)
		}
	}
	return all
}

// Kernels runs every kernel of every path that a device takes, and returns how they did in the order of their names.
// done is told after each trial of all, and may be nil. The error is one of the device, with which it cannot go on.
func Kernels(device *vk.Device, done func(trial, all int)) ([]Result, error) {
	c, paths := &checker{device: device, timed: device.Info().Limits.TimestampPeriod > 0, results: map[string]*Result{}}, Paths(device.Info())
	all := trials()
	for i, access := range paths {
		before := map[string]bool{}
		for name := range c.results {
			before[name] = true
		}
		for j, t := range all {
			if err := c.run(t, access, before); err != nil {
				return nil, err
			}
			if done != nil {
				done(i*len(all)+j+1, len(paths)*len(all))
			}
		}
	}
	return c.sorted(), nil
}

// quick runs a product of one token and of many and a state space, which takes a software device a second to compile.
func quick(device *vk.Device, access graph.Access) ([]Result, error) {
	c := &checker{device: device, results: map[string]*Result{}}
	for _, t := range trials() {
		if !t.quick {
			continue
		}
		if err := c.run(t, access, nil); err != nil {
			return nil, err
		}
	}
	return c.sorted(), nil
}

// notWrong are errors that say nothing of a kernel, and after which there is no going on.
var notWrong = []error{vk.ErrDeviceLost, vk.ErrValidation, vk.ErrOutOfMemory, vk.ErrClosed}

// A checker collects results by kernel.
type checker struct {
	device  *vk.Device
	timed   bool
	results map[string]*Result
}

func (c *checker) sorted() []Result {
	var all []Result
	for _, r := range c.results {
		all = append(all, *r)
	}
	slices.SortFunc(all, func(a, b Result) int { return strings.Compare(a.Kernel, b.Kernel) })
	return all
}

// run makes a trial along a path, leaving out graphs of which all kernels were met along another.
func (c *checker) run(t trial, access graph.Access, before map[string]bool) error {
	var lost error
	r := &rig{device: c.device, rng: rand.New(rand.NewPCG(1, 2)), timed: c.timed, known: func(kernel string) bool { return before[kernel] }}
	r.settled = func(g graphRun) {
		if slices.ContainsFunc(notWrong, func(target error) bool { return errors.Is(g.err, target) }) {
			lost = errors.Join(lost, fmt.Errorf("%s along %s: %w", t.name, access, g.err))
		}
		c.add(t, access, before, g)
	}
	t.run(r, access)
	r.settle()
	return lost
}

// add takes in what became of a graph.
func (c *checker) add(t trial, access graph.Access, before map[string]bool, g graphRun) {
	wrong := ""
	if g.err != nil {
		wrong, _, _ = strings.Cut(fmt.Sprintf("%s: %v", t.name, g.err), "\n")
	}
	if g.err != nil && len(g.kernels) == 0 { // not even built: nobody knows of which kernel
		c.results[t.name] = &Result{Kernel: t.name, Path: access, Wrong: wrong}
	}
	for _, k := range g.kernels {
		if before[k.Op] {
			continue
		}
		one := c.results[k.Op]
		if one == nil {
			one = &Result{Kernel: k.Op, Path: pathOf(k.Op)}
			c.results[k.Op] = one
		}
		if one.Error = max(one.Error, g.worst); one.Wrong == "" {
			one.Wrong = wrong
		}
		if calls := int64(k.Calls); k.Time > 0 && k.Bytes/calls >= one.Bytes {
			one.Time, one.Bytes, one.Flops = k.Time/time.Duration(calls), k.Bytes/calls, k.Flops/calls
		}
	}
}

// pathOf is the path that a kernel is of.
func pathOf(kernel string) graph.Access {
	for _, a := range []graph.Access{graph.Texel, graph.Subgroup} {
		if strings.HasSuffix(kernel, "."+string(a)) {
			return a
		}
	}
	if stem, _, _ := strings.Cut(kernel, "."); strings.HasSuffix(stem, "_coop") {
		return graph.CoopMat
	}
	return graph.Buffer
}
