package vk

import (
	"fmt"
	"slices"

	"github.com/mmrun/mmrun/internal/spirv"
)

// SPIR-V opcodes, decorations and storage classes that matter here (SPIR-V specification, section 3).
const (
	opEntryPoint            = 15
	opExecutionMode         = 16
	opCapability            = 17
	opTypeInt               = 21
	opTypeFloat             = 22
	opTypeVector            = 23
	opTypeMatrix            = 24
	opTypeImage             = 25
	opTypeArray             = 28
	opTypeRuntimeArray      = 29
	opTypeStruct            = 30
	opTypePointer           = 32
	opConstant              = 43
	opSpecConstant          = 50
	opSpecConstantComposite = 51
	opConstantComposite     = 44
	opSpecConstantOp        = 52
	opVariable              = 59
	opDecorate              = 71
	opMemberDecorate        = 72
	opExecutionModeID       = 331

	decSpecID       = 1
	decBufferBlock  = 3
	decArrayStride  = 6
	decMatrixStride = 7
	decBuiltIn      = 11
	decNonWritable  = 24
	decNonReadable  = 25
	decBinding      = 33
	decSet          = 34
	decOffset       = 35

	classUniformConstant = 0
	classUniform         = 2
	classWorkgroup       = 4
	classPushConstant    = 9
	classStorageBuffer   = 12

	modeLocalSize        = 17
	modeLocalSizeID      = 38
	modelGLCompute       = 5
	builtInWorkgroupSize = 25
	builtInSubgroupSize  = 36
	builtInSubgroupID    = 40
	dimBuffer            = 5
	formatRgba32f        = 1
	formatRgba32ui       = 30
)

// shader is the interface of a compute shader.
type shader struct {
	bindings     []Binding // by rising index
	push         int       // bytes
	local        [3]uint32
	shared       int64          // bytes of workgroup memory
	strides      map[uint32]int // of storage bindings that are one array, by index: bytes of an element
	subgroups    bool           // it counts on full subgroups of the device's size
	capabilities []uint32
	version      uint32 // 0x00MMmm00
}

// module is a SPIR-V module taken apart.
type module struct {
	types     map[uint32][]uint32 // id -> opcode, operands after the id
	constants map[uint32]uint32   // id -> value, specialization applied
	composite map[uint32][]uint32 // id -> ids
	variables []variable
	decorated map[target]map[uint32]uint32 // decoration -> first operand (0 without)
	local     [3]uint32
	localIDs  []uint32 // of constants, instead of local
	shader    shader
	entries   int
	spec      []uint32
}

type variable struct{ id, pointer, class uint32 }

// target is an id, or a member of a struct type; member is -1 for the id itself.
type target struct {
	id     uint32
	member int
}

// reflect reads the interface of a compute shader, with spec as the values of the specialization
// constants 0, 1, 2 and so on.
func reflect(code []byte, spec []uint32) (*shader, error) {
	m := &module{
		types: map[uint32][]uint32{}, constants: map[uint32]uint32{}, composite: map[uint32][]uint32{},
		decorated: map[target]map[uint32]uint32{}, spec: spec, shader: shader{strides: map[uint32]int{}},
	}
	if err := m.read(code); err != nil {
		return nil, err
	}
	if m.entries != 1 {
		return nil, fmt.Errorf("spir-v: %d compute entry points named main, want one", m.entries)
	}
	for _, v := range m.variables {
		if err := m.variable(v); err != nil {
			return nil, err
		}
	}
	s := &m.shader
	slices.SortFunc(s.bindings, func(a, b Binding) int { return int(a.Index) - int(b.Index) })
	if len(s.bindings) > maxBindings {
		return nil, fmt.Errorf("spir-v: %d bindings, at most %d are possible", len(s.bindings), maxBindings)
	}
	return s, m.localSize()
}

// read walks the instructions.
func (m *module) read(code []byte) error {
	words, err := spirv.Words(code)
	if err != nil {
		return err
	}
	m.shader.version = words[1]
	return spirv.Each(words, func(i spirv.Instruction) error { return m.instruction(i.Op, i.Operands) })
}

// operands is the least number of operands of the instructions read.
var operands = map[uint32]int{
	opEntryPoint: 3, opExecutionMode: 2, opCapability: 1, opTypeInt: 3, opTypeFloat: 2, opTypeVector: 3,
	opTypeMatrix: 3, opTypeImage: 8, opTypeArray: 3, opTypeRuntimeArray: 2,
	opTypeStruct: 1, opTypePointer: 3, opConstant: 3, opSpecConstant: 3, opConstantComposite: 2,
	opSpecConstantComposite: 2, opSpecConstantOp: 3, opVariable: 3, opDecorate: 2, opMemberDecorate: 3,
	opExecutionModeID: 2,
}

func (m *module) instruction(op uint32, w []uint32) error {
	n, known := operands[op]
	if !known {
		return nil
	}
	if len(w) < n {
		return fmt.Errorf("opcode %d has %d operands, want %d", op, len(w), n)
	}
	switch op {
	case opEntryPoint:
		if w[0] == modelGLCompute && spirv.Text(w[2:]) == "main" {
			m.entries++
		}
	case opExecutionMode:
		if w[1] == modeLocalSize && len(w) == 5 {
			m.local = [3]uint32(w[2:5])
		}
	case opExecutionModeID:
		if w[1] == modeLocalSizeID && len(w) == 5 {
			m.localIDs = w[2:5]
		}
	case opCapability:
		m.shader.capabilities = append(m.shader.capabilities, w[0])
	case opConstant:
		m.constants[w[1]] = w[2]
	case opSpecConstant:
		m.constants[w[1]] = w[2]
		if id, ok := m.decorated[target{w[1], -1}][decSpecID]; ok && int64(id) < int64(len(m.spec)) {
			m.constants[w[1]] = m.spec[id]
		}
	case opSpecConstantOp:
		m.fold(w[1], w[2], w[3:])
	case opConstantComposite, opSpecConstantComposite:
		m.composite[w[1]] = w[2:]
	case opVariable:
		m.variables = append(m.variables, variable{w[1], w[0], w[2]})
	case opDecorate:
		m.decorate(target{w[0], -1}, w[1], w[2:])
	case opMemberDecorate:
		m.decorate(target{w[0], int(w[1])}, w[2], w[3:])
	default: // a type
		m.types[w[0]] = append([]uint32{op}, w[1:]...)
	}
	return nil
}

func (m *module) decorate(t target, decoration uint32, operands []uint32) {
	if m.decorated[t] == nil {
		m.decorated[t] = map[uint32]uint32{}
	}
	var v uint32
	if len(operands) > 0 {
		v = operands[0]
	}
	m.decorated[t][decoration] = v
	if decoration == decBuiltIn && (v == builtInSubgroupSize || v == builtInSubgroupID) {
		m.shader.subgroups = true
	}
}

// fold evaluates the arithmetic that array sizes are made of; what else there is stays unknown.
func (m *module) fold(id, op uint32, w []uint32) {
	if len(w) != 2 {
		return
	}
	a, okA := m.constants[w[0]]
	b, okB := m.constants[w[1]]
	if !okA || !okB {
		return
	}
	switch op {
	case 128: // OpIAdd
		m.constants[id] = a + b
	case 130: // OpISub
		m.constants[id] = a - b
	case 132: // OpIMul
		m.constants[id] = a * b
	case 134: // OpUDiv
		if b != 0 {
			m.constants[id] = a / b
		}
	}
}

// variable adds what a module variable contributes to the interface.
func (m *module) variable(v variable) error {
	p := m.types[v.pointer]
	if len(p) < 3 || p[0] != opTypePointer {
		return fmt.Errorf("spir-v: variable %d has no pointer type", v.id)
	}
	switch v.class {
	case classPushConstant:
		n, err := m.size(p[2], 0)
		if err != nil {
			return fmt.Errorf("spir-v: push constants: %w", err)
		}
		m.shader.push = max(m.shader.push, int(n+3)&^3)
	case classWorkgroup:
		n, err := m.size(p[2], 0)
		if err == nil { // a size this package cannot fold is left to the driver
			m.shader.shared += n
		}
	case classUniformConstant, classUniform, classStorageBuffer:
		return m.binding(v, p[2])
	}
	return nil
}

func (m *module) binding(v variable, typ uint32) error {
	decorations := m.decorated[target{v.id, -1}]
	index, bound := decorations[decBinding]
	if !bound {
		return fmt.Errorf("spir-v: variable %d has no binding", v.id)
	}
	if set := decorations[decSet]; set != 0 {
		return fmt.Errorf("spir-v: binding %d is in set %d, only set 0 is possible", index, set)
	}
	b := Binding{Index: index, Reads: true, Writes: true}
	t := m.types[typ]
	switch {
	case len(t) == 0:
		return fmt.Errorf("spir-v: binding %d has no type", index)
	case v.class == classUniformConstant:
		kind, err := m.texel(t)
		if err != nil {
			return fmt.Errorf("spir-v: binding %d: %w", index, err)
		}
		if !m.all(v.id, typ, 0, decNonWritable) {
			return fmt.Errorf("spir-v: binding %d is an image that may be written, only readonly ones are possible", index)
		}
		b.Kind, b.Writes = kind, false
	case t[0] != opTypeStruct:
		return fmt.Errorf("spir-v: binding %d is not one buffer (an array of them?)", index)
	default:
		if _, old := m.decorated[target{typ, -1}][decBufferBlock]; v.class == classUniform && !old {
			return fmt.Errorf("spir-v: binding %d is a uniform buffer, only storage and texel buffers are possible", index)
		}
		b.Reads = !m.all(v.id, typ, len(t)-1, decNonReadable)
		b.Writes = !m.all(v.id, typ, len(t)-1, decNonWritable)
		if array := m.types[t[1]]; len(t) == 2 && len(array) == 2 && array[0] == opTypeRuntimeArray {
			stride := int(m.decorated[target{t[1], -1}][decArrayStride])
			if old, twice := m.shader.strides[index]; twice && old != stride {
				stride = 0
			}
			m.shader.strides[index] = stride
		}
	}
	return m.add(b)
}

// add merges variables that share a binding: one buffer seen in two ways.
func (m *module) add(b Binding) error {
	for i := range m.shader.bindings {
		o := &m.shader.bindings[i]
		if o.Index != b.Index {
			continue
		}
		if o.Kind != b.Kind {
			return fmt.Errorf("spir-v: binding %d is both %v and %v", b.Index, o.Kind, b.Kind)
		}
		o.Reads, o.Writes = o.Reads || b.Reads, o.Writes || b.Writes
		return nil
	}
	m.shader.bindings = append(m.shader.bindings, b)
	return nil
}

// all reports whether a decoration is on the variable or on every member of its struct.
func (m *module) all(id, typ uint32, members int, decoration uint32) bool {
	if _, ok := m.decorated[target{id, -1}][decoration]; ok {
		return true
	}
	for i := range members {
		if _, ok := m.decorated[target{typ, i}][decoration]; !ok {
			return false
		}
	}
	return members > 0
}

// texel is the kind of a storage texel buffer: an image of Dim Buffer that is read without a sampler.
func (m *module) texel(t []uint32) (Kind, error) {
	// opTypeImage: sampled type, dim, depth, arrayed, multisampled, sampled, format
	if len(t) < 8 || t[0] != opTypeImage || t[2] != dimBuffer || t[6] != 2 {
		return 0, fmt.Errorf("only storage buffers and imageBuffer, uimageBuffer are possible")
	}
	switch format := t[7]; format {
	case formatRgba32f:
		return TexelFloat, nil
	case formatRgba32ui:
		return TexelUint, nil
	}
	return 0, fmt.Errorf("only texels of rgba32f and rgba32ui are possible")
}

// localSize finds the workgroup size, which constants may give in two ways: the execution mode
// LocalSizeId and the older WorkgroupSize built-in, which overrides both modes.
func (m *module) localSize() error {
	m.shader.local = m.local
	ids := m.localIDs
	for id, parts := range m.composite {
		if b, ok := m.decorated[target{id, -1}][decBuiltIn]; ok && b == builtInWorkgroupSize {
			ids = parts
		}
	}
	if ids != nil && len(ids) != 3 {
		return fmt.Errorf("spir-v: workgroup size of %d parts", len(ids))
	}
	for i, id := range ids {
		m.shader.local[i] = m.constants[id]
	}
	for _, n := range m.shader.local {
		if n == 0 {
			return fmt.Errorf("spir-v: workgroup size %v", m.shader.local)
		}
	}
	return nil
}
