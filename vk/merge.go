package vk

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/mmrun/mmrun/internal/spirv"
)

// A device may take fewer storage buffers than a shader has: four are all that Vulkan promises. Then buffers that lie
// in one block of memory share a binding: their variables in the shader are bound to the same buffer, and what each
// of them is indexed with grows by where it begins, which further push constants tell.

const (
	opFunction            = 54
	opAccessChain         = 65
	opInBoundsAccessChain = 66
	opLoad                = 61
	opIAdd                = 128

	decAliased = 20
)

// merger rewrites a module.
type merger struct {
	m     *module
	group []uint32 // the new binding of each, by the order of the old ones
	words []uint32 // written so far
	next  uint32   // free id

	moved         map[uint32]uint32 // variables that are told where they begin, and the constant of the push member
	bindings      map[uint32]uint32 // variables and their new bindings
	push, block   uint32            // the variable of push constants and its struct
	members, size uint32            // of that
	uint, pointer uint32            // types, the second until it is declared
	chainType     uint32            // and then
	bases         int               // that are told
	begun, typed  bool
}

// merge gives every binding of a shader the number in group, in their order, and returns the code and how many
// bytes of push constants it adds: a uint for each storage binding with a stride, in that order.
func merge(code []byte, s *shader, spec []uint32, group []uint32) ([]byte, int, error) {
	words, err := spirv.Words(code)
	if err != nil {
		return nil, 0, err
	}
	m := &module{types: map[uint32][]uint32{}, constants: map[uint32]uint32{}, composite: map[uint32][]uint32{},
		decorated: map[target]map[uint32]uint32{}, spec: spec}
	if err := m.read(code); err != nil {
		return nil, 0, err
	}
	g := &merger{m: m, group: group, next: words[3], moved: map[uint32]uint32{}, bindings: map[uint32]uint32{}}
	g.words = append(g.words, words[:5]...)
	if err := g.plan(s); err != nil {
		return nil, 0, err
	}
	err = spirv.Each(words, func(i spirv.Instruction) error { return g.instruction(i) })
	if err != nil {
		return nil, 0, err
	}
	g.words[3] = g.next
	out := make([]byte, 0, 4*len(g.words))
	for _, w := range g.words {
		out = binary.LittleEndian.AppendUint32(out, w)
	}
	return out, 4 * g.bases, nil
}

func (g *merger) id() uint32 {
	g.next++
	return g.next - 1
}

func (g *merger) emit(op uint32, operands ...uint32) {
	g.words = append(append(g.words, uint32(len(operands)+1)<<16|op), operands...)
}

// plan finds what is to be rewritten.
func (g *merger) plan(s *shader) error {
	order := map[uint32]int{} // of bindings that are told where they begin
	for _, b := range s.bindings {
		if s.strides[b.Index] > 0 {
			order[b.Index] = len(order)
		}
	}
	g.bases = len(order)
	for _, v := range g.m.variables {
		index, bound := g.m.decorated[target{v.id, -1}][decBinding]
		switch {
		case v.class == classPushConstant:
			g.push, g.block = v.id, g.m.types[v.pointer][2]
		case bound:
			g.bindings[v.id] = g.group[slices.IndexFunc(s.bindings, func(b Binding) bool { return b.Index == index })]
			if at, ok := order[index]; ok {
				g.moved[v.id] = uint32(at)
			}
		}
	}
	if g.push == 0 {
		return fmt.Errorf("spir-v: no push constants")
	}
	g.members, g.size = uint32(len(g.m.types[g.block])-1), uint32(s.push)
	for id, t := range g.m.types {
		if t[0] == opTypeInt && t[1] == 32 && t[2] == 0 {
			g.uint = id
		}
	}
	if g.uint == 0 {
		return fmt.Errorf("spir-v: no unsigned integers")
	}
	g.pointer = g.id()
	return nil
}

func (g *merger) instruction(i spirv.Instruction) error {
	w := i.Operands
	switch {
	case i.Op == opDecorate && w[1] == decBinding:
		g.emit(opDecorate, w[0], decBinding, g.bindings[w[0]])
		if _, ok := g.moved[w[0]]; ok {
			g.emit(opDecorate, w[0], decAliased)
		}
		return nil
	case (i.Op == opDecorate || i.Op == opMemberDecorate) && !g.begun:
		g.begun = true
		for n := range uint32(g.bases) {
			g.emit(opMemberDecorate, g.block, g.members+n, decOffset, g.size+4*n)
		}
	case i.Op == opTypeInt && w[0] == g.uint:
		if g.typed {
			return nil
		}
		g.typed = true
	case i.Op == opTypeStruct && w[0] == g.block:
		if !g.typed { // the type of its new members comes first
			g.typed = true
			g.emit(opTypeInt, g.uint, 32, 0)
		}
		g.emit(opTypeStruct, slices.Concat(w, slices.Repeat([]uint32{g.uint}, g.bases))...)
		return nil
	case i.Op == opFunction && g.pointer != 0:
		g.emit(opTypePointer, g.pointer, classPushConstant, g.uint)
		for _, v := range slices.Sorted(maps.Keys(g.moved)) {
			member := g.id()
			g.emit(opConstant, g.uint, member, g.members+g.moved[v])
			g.moved[v] = member
		}
		g.chainType, g.pointer = g.pointer, 0
	case i.Op == opAccessChain || i.Op == opInBoundsAccessChain:
		return g.chain(i)
	}
	g.emit(i.Op, w...)
	return nil
}

// chain has a variable's element looked up from where it begins.
func (g *merger) chain(i spirv.Instruction) error {
	w := i.Operands
	member, ok := g.moved[w[2]]
	if !ok {
		g.emit(i.Op, w...)
		return nil
	}
	if len(w) < 5 || g.m.constants[w[3]] != 0 {
		return fmt.Errorf("spir-v: variable %d is not looked up by an index", w[2])
	}
	at, base, index := g.id(), g.id(), g.id()
	g.emit(opAccessChain, g.chainType, at, g.push, member)
	g.emit(opLoad, g.uint, base, at)
	g.emit(opIAdd, g.uint, index, base, w[4])
	moved := slices.Clone(w)
	moved[4] = index
	g.emit(i.Op, moved...)
	return nil
}
