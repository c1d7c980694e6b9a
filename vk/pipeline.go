package vk

/*
#include "shim.h"
*/
import "C"

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	vulkan "github.com/goki/vulkan"
)

const (
	texelBytes  = 16 // of one element of a texel binding
	maxBindings = C.MMR_MAX_ARGS
	maxSpec     = C.MMR_MAX_ARGS
)

// Kind is how a shader sees a buffer.
type Kind int

// The kinds of binding.
const (
	Storage    Kind = iota // storage buffer
	TexelFloat             // storage texel buffer, four float32 per element (readonly imageBuffer of rgba32f)
	TexelUint              // storage texel buffer, four uint32 per element (readonly uimageBuffer of rgba32ui)
)

// String is "storage", "texel float" or "texel uint".
func (k Kind) String() string {
	if k < Storage || k > TexelUint {
		return fmt.Sprintf("kind %d", int(k))
	}
	return [...]string{"storage", "texel float", "texel uint"}[k]
}

func (k Kind) format() vulkan.Format {
	if k == TexelUint {
		return vulkan.FormatR32g32b32a32Uint
	}
	return vulkan.FormatR32g32b32a32Sfloat
}

// Binding is one buffer of a shader's interface.
type Binding struct {
	Index         uint32 // in set 0
	Kind          Kind
	Reads, Writes bool // from NonReadable and NonWritable; a texel binding only reads
}

// Pipeline is a compiled compute shader. Its device owns it.
type Pipeline struct {
	d         *Device
	name      string
	spirv     []byte
	spec      []uint32
	shader    *shader
	setLayout vulkan.DescriptorSetLayout
	layout    vulkan.PipelineLayout
	handle    vulkan.Pipeline
	few       bool                 // it has more storage bindings than the device takes: see merge
	merged    map[string]*Pipeline // then, by which bindings are shared; guarded by Device.mu
}

// Name is the name given to Device.Pipeline.
func (p *Pipeline) Name() string { return p.name }

// Bindings are the buffers of the shader by rising index.
func (p *Pipeline) Bindings() []Binding { return slices.Clone(p.shader.bindings) }

// PushSize is the size of the push constant block in bytes, 0 without one.
func (p *Pipeline) PushSize() int { return p.shader.push }

// LocalSize is the size of a workgroup, specialization applied.
func (p *Pipeline) LocalSize() [3]uint32 { return p.shader.local }

// Pipeline compiles a shader, with spec as the values of its specialization constants 0, 1, 2 and
// so on. Asking again for a name with the same spec gives the same pipeline; another shader under
// that name is an error. Errors say what of the shader the device or this package cannot do.
func (d *Device) Pipeline(name string, spirv []byte, spec ...uint32) (*Pipeline, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.usable(); err != nil {
		return nil, err
	}
	key := keyOf(name, spec)
	if p := d.pipelines[key]; p != nil {
		if !bytes.Equal(p.spirv, spirv) {
			return nil, fmt.Errorf("pipeline %s: made before of another shader", name)
		}
		return p, nil
	}
	p, err := d.newPipeline(name, spirv, spec)
	if err != nil {
		return nil, fmt.Errorf("pipeline %s: %w", name, err)
	}
	if err := d.said(); err != nil {
		p.destroy()
		return nil, fmt.Errorf("pipeline %s: %w", name, err)
	}
	d.pipelines[key] = p
	return p, nil
}

// keyOf tells pipelines apart.
func keyOf(name string, spec []uint32) string { return fmt.Sprintf("%s %v", name, spec) }

func (d *Device) newPipeline(name string, spirv []byte, spec []uint32) (_ *Pipeline, err error) {
	if len(spec) > maxSpec {
		return nil, fmt.Errorf("%d specialization constants given, at most %d are possible", len(spec), maxSpec)
	}
	s, err := reflect(spirv, spec)
	if err != nil {
		return nil, err
	}
	if err := s.fits(d.phys); err != nil {
		return nil, err
	}
	p := &Pipeline{d: d, name: name, spirv: spirv, spec: slices.Clone(spec), shader: s, few: s.storage() > d.phys.storage()}
	if p.few { // what it is compiled as, its buffers say
		p.merged = map[string]*Pipeline{}
		return p, nil
	}
	defer func() {
		if err != nil {
			p.destroy()
		}
	}()
	if err := p.createLayout(); err != nil {
		return nil, err
	}
	module, err := d.newModule(spirv)
	if err != nil {
		return nil, err
	}
	defer func() {
		vulkan.DestroyShaderModule(d.handle, module, nil)
		d.counts.add(shaderHandle, -1)
	}()
	var handle C.VkPipeline
	r := C.mmr_create_pipeline(d.table, cast[C.VkPipelineCache](d.cache.handle), cast[C.VkShaderModule](module),
		cast[C.VkPipelineLayout](p.layout), (*C.uint32_t)(unsafe.SliceData(spec)), C.uint32_t(len(spec)), d.pipelineFlags(), p.subgroup(), &handle)
	if err := failed("vkCreateComputePipelines", int32(r)); err != nil {
		return nil, err
	}
	p.handle = cast[vulkan.Pipeline](handle)
	d.counts.add(pipelineHandle, 1)
	return p, nil
}

func (d *Device) newModule(spirv []byte) (vulkan.ShaderModule, error) {
	code := make([]uint32, len(spirv)/4)
	for i := range code {
		code[i] = binary.LittleEndian.Uint32(spirv[4*i:])
	}
	info := vulkan.ShaderModuleCreateInfo{
		SType: vulkan.StructureTypeShaderModuleCreateInfo, CodeSize: uint64(len(spirv)), PCode: code,
	}
	defer info.Free()
	var pin runtime.Pinner // the binding stores the pointer in C memory
	pin.Pin(&code[0])
	defer pin.Unpin()
	var module vulkan.ShaderModule
	if err := failed("vkCreateShaderModule", vulkan.CreateShaderModule(d.handle, &info, nil, &module)); err != nil {
		return nil, err
	}
	d.counts.add(shaderHandle, 1)
	return module, nil
}

// subgroup is the size of the full subgroups that the shader counts on, 0 when it does not.
func (p *Pipeline) subgroup() C.uint32_t {
	if p.shader.subgroups {
		return C.uint32_t(p.d.phys.info.Subgroup)
	}
	return 0
}

// createLayout makes the descriptor set layout and the pipeline layout.
func (p *Pipeline) createLayout() error {
	d := p.d
	var bindings []vulkan.DescriptorSetLayoutBinding
	for _, b := range p.shader.bindings {
		t := vulkan.DescriptorTypeStorageBuffer
		if b.Kind != Storage {
			t = vulkan.DescriptorTypeStorageTexelBuffer
		}
		bindings = append(bindings, vulkan.DescriptorSetLayoutBinding{
			Binding: b.Index, DescriptorType: t, DescriptorCount: 1,
			StageFlags: vulkan.ShaderStageFlags(vulkan.ShaderStageComputeBit),
		})
	}
	info := vulkan.DescriptorSetLayoutCreateInfo{
		SType:        vulkan.StructureTypeDescriptorSetLayoutCreateInfo,
		BindingCount: uint32(len(bindings)), PBindings: bindings,
	}
	defer info.Free()
	var set vulkan.DescriptorSetLayout
	r := vulkan.CreateDescriptorSetLayout(d.handle, &info, nil, &set)
	if err := failed("vkCreateDescriptorSetLayout", r); err != nil {
		return err
	}
	p.setLayout = set
	d.counts.add(setLayoutHandle, 1)

	linfo := vulkan.PipelineLayoutCreateInfo{
		SType:          vulkan.StructureTypePipelineLayoutCreateInfo,
		SetLayoutCount: 1, PSetLayouts: []vulkan.DescriptorSetLayout{set},
	}
	if p.shader.push > 0 {
		linfo.PushConstantRangeCount = 1
		linfo.PPushConstantRanges = []vulkan.PushConstantRange{{
			StageFlags: vulkan.ShaderStageFlags(vulkan.ShaderStageComputeBit), Size: uint32(p.shader.push),
		}}
	}
	defer linfo.Free()
	var pin runtime.Pinner // the binding stores the pointer in C memory
	pin.Pin(&linfo.PSetLayouts[0])
	defer pin.Unpin()
	var layout vulkan.PipelineLayout
	if err := failed("vkCreatePipelineLayout", vulkan.CreatePipelineLayout(d.handle, &linfo, nil, &layout)); err != nil {
		return err
	}
	p.layout = layout
	d.counts.add(pipelineLayoutHandle, 1)
	return nil
}

// destroy frees what was made, which after a failure is only a part.
func (p *Pipeline) destroy() {
	d := p.d
	for _, q := range p.merged {
		q.destroy()
	}
	if p.handle != nil {
		vulkan.DestroyPipeline(d.handle, p.handle, nil)
		d.counts.add(pipelineHandle, -1)
	}
	if p.layout != nil {
		vulkan.DestroyPipelineLayout(d.handle, p.layout, nil)
		d.counts.add(pipelineLayoutHandle, -1)
	}
	if p.setLayout != nil {
		vulkan.DestroyDescriptorSetLayout(d.handle, p.setLayout, nil)
		d.counts.add(setLayoutHandle, -1)
	}
	p.handle, p.layout, p.setLayout = nil, nil, nil
}
