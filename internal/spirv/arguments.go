package spirv

import (
	"cmp"
	"fmt"
	"slices"
)

// Opcodes, decorations and the storage class that arguments are found by.
const (
	opTypeBool          = 20
	opTypeInt           = 21
	opTypeFloat         = 22
	opTypeArray         = 28
	opTypeStruct        = 30
	opTypePointer       = 32
	opConstant          = 43
	opSpecConstantTrue  = 48
	opSpecConstantFalse = 49
	opSpecConstant      = 50
	opVariable          = 59
	opDecorate          = 71
	opMemberDecorate    = 72

	decSpecID         = 1
	decArrayStride    = 6
	decOffset         = 35
	classPushConstant = 9
)

// Type is the type of a number, as GLSL calls it.
type Type string

// The types of numbers that shaders are told.
const (
	Uint  Type = "uint"
	Int   Type = "int"
	Float Type = "float"
	Bool  Type = "bool"
)

// A Constant is a specialization constant.
type Constant struct {
	ID   uint32 // constant_id
	Name string
	Type Type
}

// A Member is a member of the push constants.
type Member struct {
	Name           string
	Type           Type
	Offset, Stride int // in bytes; Stride is from number to number of an array
	Count          int // numbers of an array, 0 for one number that is none
}

// Arguments are what a compute shader is told besides its buffers.
type Arguments struct {
	Constants []Constant // by rising ID
	Push      []Member   // in the order of their declaration
}

// module is what of a module arguments are read from.
type module struct {
	names     map[[2]uint32]string // by id and member + 1, 0 for the id itself
	types     map[uint32]Instruction
	values    map[uint32]uint32
	constants []Instruction        // specialization constants
	specID    map[uint32]uint32    // by id
	strides   map[uint32]uint32    // of arrays, by their type's id
	offsets   map[[2]uint32]uint32 // of members
	pushed    uint32               // the type of pointers to the push constants, 0 without any
	push      uint32               // the push constants' struct
}

// least is how many operands the instructions have that are read.
var least = map[uint32]int{
	opName: 1, opMemberName: 2, opTypeBool: 1, opTypeInt: 3, opTypeFloat: 2, opTypeArray: 3, opTypeStruct: 1, opTypePointer: 3,
	opConstant: 3, opSpecConstantTrue: 2, opSpecConstantFalse: 2, opSpecConstant: 3, opVariable: 3, opDecorate: 2, opMemberDecorate: 3,
}

func take(words []uint32) (*module, error) {
	m := &module{
		names: map[[2]uint32]string{}, types: map[uint32]Instruction{}, values: map[uint32]uint32{},
		specID: map[uint32]uint32{}, strides: map[uint32]uint32{}, offsets: map[[2]uint32]uint32{},
	}
	if err := Each(words, m.instruction); err != nil {
		return nil, err
	}
	if pointer := m.types[m.pushed]; pointer.Op == opTypePointer {
		m.push = pointer.Operands[2]
	}
	return m, nil
}

func (m *module) instruction(i Instruction) error {
	w := i.Operands
	if n := least[i.Op]; len(w) < n {
		return fmt.Errorf("opcode %d has %d operands, want %d", i.Op, len(w), n)
	}
	switch i.Op {
	case opName:
		m.names[[2]uint32{w[0]}] = Text(w[1:])
	case opMemberName:
		m.names[[2]uint32{w[0], w[1] + 1}] = Text(w[2:])
	case opTypeBool, opTypeInt, opTypeFloat, opTypeArray, opTypeStruct, opTypePointer:
		m.types[w[0]] = i
	case opConstant:
		m.values[w[1]] = w[2]
	case opSpecConstantTrue, opSpecConstantFalse, opSpecConstant:
		m.constants = append(m.constants, i)
	case opVariable:
		if w[2] == classPushConstant {
			m.pushed = w[0]
		}
	case opDecorate:
		m.decorate(w)
	case opMemberDecorate:
		if w[2] == decOffset && len(w) > 3 {
			m.offsets[[2]uint32{w[0], w[1]}] = w[3]
		}
	}
	return nil
}

func (m *module) decorate(w []uint32) {
	switch {
	case len(w) < 3:
	case w[1] == decSpecID:
		m.specID[w[0]] = w[2]
	case w[1] == decArrayStride:
		m.strides[w[0]] = w[2]
	}
}

// ReadArguments reads what a compute shader is told, by the names it has in GLSL. It is an error if one has
// no name, or no type that a number has.
func ReadArguments(code []byte) (*Arguments, error) {
	words, err := Words(code)
	if err != nil {
		return nil, err
	}
	m, err := take(words)
	if err != nil {
		return nil, err
	}
	a := &Arguments{}
	for _, i := range m.constants {
		if err := a.constant(m, i.Operands[0], i.Operands[1]); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(a.Constants, func(x, y Constant) int { return cmp.Compare(x.ID, y.ID) })
	for _, c := range a.Constants {
		if c.Name == "" {
			return nil, fmt.Errorf("spir-v: specialization constant %d has no name", c.ID)
		}
	}
	if block := m.types[m.push]; block.Op == opTypeStruct {
		for i, typ := range block.Operands[1:] {
			if err := a.member(m, uint32(i), typ); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

// constant adds one of a type. A workgroup's size may be the same constant a second time, without a name.
func (a *Arguments) constant(m *module, typ, id uint32) error {
	spec, ok := m.specID[id]
	if !ok {
		return nil // folded of others
	}
	c := Constant{ID: spec, Name: m.names[[2]uint32{id}]}
	if c.Type, ok = m.number(typ); !ok {
		return fmt.Errorf("spir-v: specialization constant %d is no uint, int, float or bool", spec)
	}
	at := slices.IndexFunc(a.Constants, func(o Constant) bool { return o.ID == spec })
	switch {
	case at < 0:
		a.Constants = append(a.Constants, c)
	case a.Constants[at].Type != c.Type || a.Constants[at].Name != "" && c.Name != "":
		return fmt.Errorf("spir-v: specialization constant %d is declared twice", spec)
	case c.Name != "":
		a.Constants[at] = c
	}
	return nil
}

// member adds the i-th of the push constants.
func (a *Arguments) member(m *module, i, typ uint32) error {
	p := Member{Name: m.names[[2]uint32{m.push, i + 1}]}
	offset, ok := m.offsets[[2]uint32{m.push, i}]
	if p.Name == "" || !ok || offset > 1<<16 {
		return fmt.Errorf("spir-v: push constant %d (%q) has no name or offset", i, p.Name)
	}
	p.Offset = int(offset)
	if array := m.types[typ]; array.Op == opTypeArray {
		count, stride := m.values[array.Operands[2]], m.strides[typ]
		if typ = array.Operands[1]; count < 1 || count > 1<<12 || stride < 4 || stride > 1<<12 {
			return fmt.Errorf("spir-v: push constant %s is an array of %d numbers of %d bytes", p.Name, count, stride)
		}
		p.Count, p.Stride = int(count), int(stride)
	}
	if p.Type, ok = m.number(typ); !ok || p.Type == Bool {
		return fmt.Errorf("spir-v: push constant %s is no uint, int or float", p.Name)
	}
	a.Push = append(a.Push, p)
	return nil
}

// number is the type of numbers of 32 bits that a type is.
func (m *module) number(id uint32) (Type, bool) {
	t := m.types[id]
	switch {
	case t.Op == opTypeBool:
		return Bool, true
	case t.Op == opTypeFloat && t.Operands[1] == 32:
		return Float, true
	case t.Op == opTypeInt && t.Operands[1] == 32 && t.Operands[2] == 0:
		return Uint, true
	case t.Op == opTypeInt && t.Operands[1] == 32:
		return Int, true
	}
	return "", false
}
