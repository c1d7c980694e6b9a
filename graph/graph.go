// Package graph builds a model once into a program: which kernels run in which order, where every
// intermediate value lies in one arena of memory, and where barriers stand between them. A program
// is recorded into command buffers once and replayed for every token or prompt chunk.
//
// The first error of a graph is kept and told by Plan, so that a model reads without an "if err" a line.
package graph

import (
	"fmt"

	"github.com/mmrun/mmrun/shaders"
	"github.com/mmrun/mmrun/vk"
)

// Access says how kernels read their inputs.
type Access string

// The kinds of access a kernel is built for.
const (
	Texel    Access = "texel"    // texel buffers: fast on software devices
	Buffer   Access = "ssbo"     // storage buffers: fast on GPUs
	Subgroup Access = "subgroup" // the same, and sums that a subgroup takes by itself where the shader has any
	CoopMat  Access = "coopmat"  // the same, and products of cooperative matrices
)

// A Graph is a list of kernel calls over values, under construction.
type Graph struct {
	device   *vk.Device
	access   Access
	software bool
	homes    []*home
	nodes    []node
	err      error
}

// Kernel names a shader and its specialization constants.
type Kernel struct {
	Shader string // stem and variant without the access, such as "gemv.f32"
	Spec   any    // a struct as Check takes it, nil without constants
	Plain  bool   // the shader has no access axis
}

type node struct {
	op       string
	pipeline *vk.Pipeline
	args     []Value
	push     []byte
	groups   [3]uint32
	cost     Cost
	growth   Growth
	barrier  bool // before it
}

// New starts a graph on a device. Kernels read through texel buffers on software devices and through
// storage buffers on GPUs, along the paths that the device takes.
func New(device *vk.Device) *Graph {
	info, access := device.Info(), Buffer
	switch {
	case info.Software():
		access = Texel
	case info.Takes(vk.CoopMatPath):
		access = CoopMat
	case info.Takes(vk.SubgroupPath):
		access = Subgroup
	}
	return NewAccess(device, access)
}

// NewAccess is New with the access chosen by the caller, for tests and measurements. What reads through texel
// buffers is built for software devices and all else for GPUs, whatever the device is.
func NewAccess(device *vk.Device, access Access) *Graph {
	return &Graph{device: device, access: access, software: access == Texel}
}

// Device is the device the graph is built for.
func (g *Graph) Device() *vk.Device { return g.device }

// Fail keeps err if it is the first.
func (g *Graph) Fail(err error) {
	if g.err == nil {
		g.err = err
	}
}

// Err is the first error so far.
func (g *Graph) Err() error { return g.err }

// Call adds a kernel call: op names it in profiles, args are bound in the order of the shader's
// bindings, push is a struct of the push constants as Check takes it, groups are workgroups. What the
// kernel reads and writes is known from the shader itself.
func (g *Graph) Call(op string, k Kernel, args []Value, push any, groups [3]int, cost Cost) {
	if g.err != nil {
		return
	}
	pipeline, block, err := g.kernel(g.variant(k), k.Spec, push)
	if err == nil {
		err = check(pipeline, args, groups, g.device.Info().Limits)
	}
	if err != nil {
		g.Fail(fmt.Errorf("%s: %w", op, err))
		return
	}
	for _, v := range args {
		v.home.use(len(g.nodes))
	}
	g.nodes = append(g.nodes, node{op: op, pipeline: pipeline, args: args, push: block,
		groups: [3]uint32{uint32(groups[0]), uint32(groups[1]), uint32(groups[2])}, cost: cost})
}

// kernel returns the pipeline of a variant, and the block of push constants it is told.
func (g *Graph) kernel(variant string, spec, push any) (*vk.Pipeline, []byte, error) {
	constants, block, err := encode(variant, spec, push)
	if err != nil {
		return nil, nil, err
	}
	code, err := shaders.Load(variant)
	if err != nil {
		return nil, nil, err
	}
	pipeline, err := g.device.Pipeline(variant, code, constants...)
	return pipeline, block, err
}

// Fits says why the device's limits do not allow a kernel, nil where they do.
func (g *Graph) Fits(k Kernel) error {
	variant := g.variant(k)
	a, err := argumentsOf(variant)
	if err != nil {
		return err
	}
	constants, err := encodeSpec(variant, a.Constants, k.Spec)
	if err != nil {
		return err
	}
	code, err := shaders.Load(variant)
	if err != nil {
		return err
	}
	return g.device.Fits(variant, code, constants...)
}

// Copy adds a copy of all of src to the beginning of dst.
func (g *Graph) Copy(dst, src Value) {
	if src.home.size > dst.home.size {
		g.Fail(fmt.Errorf("copy: %d bytes into %d", src.home.size, dst.home.size))
		return
	}
	dst.home.use(len(g.nodes))
	src.home.use(len(g.nodes))
	g.nodes = append(g.nodes, node{op: "copy", args: []Value{dst, src}, cost: Cost{Bytes: 2 * src.home.size}})
}

func (h *home) use(node int) {
	if h.first < 0 {
		h.first = node
	}
	h.last = node
}

func check(p *vk.Pipeline, args []Value, groups [3]int, limits vk.Limits) error {
	if len(args) != len(p.Bindings()) {
		return fmt.Errorf("%s has %d bindings, got %d values", p.Name(), len(p.Bindings()), len(args))
	}
	for i, v := range args {
		if v.Zero() {
			return fmt.Errorf("%s: binding %d has no value", p.Name(), i)
		}
	}
	for i, n := range groups {
		if n < 1 || int64(n) > int64(limits.MaxGroups[i]) {
			return fmt.Errorf("%s: %v workgroups, the device allows 1 to %v", p.Name(), groups, limits.MaxGroups)
		}
	}
	return nil
}

// variant is the kernel's module for the graph's access.
func (g *Graph) variant(k Kernel) string {
	switch {
	case k.Plain:
		return k.Shader
	case g.access == Texel || g.access == Buffer:
		return k.Shader + "." + string(g.access)
	case shaders.Has(k.Shader + "." + string(Subgroup)):
		return k.Shader + "." + string(Subgroup)
	}
	return k.Shader + "." + string(Buffer)
}

// Groups is how many workgroups of size cover n, at least one.
func Groups(n, size int) int { return max(1, (n+size-1)/size) }

// Software says whether the graph's kernels are those for a software device: few invocations with much to do
// each, which hand one another what they fetched and share no memory.
func (g *Graph) Software() bool { return g.software }

// Access is how the graph's kernels read their inputs.
func (g *Graph) Access() Access { return g.access }
