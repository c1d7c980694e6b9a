// Package spirv takes SPIR-V modules apart: their instructions, what a compute shader is told besides its
// buffers, and what of a module is there for debuggers alone.
package spirv

import (
	"encoding/binary"
	"fmt"
)

const (
	magic  = 0x07230203
	header = 5 // words before the first instruction
)

// An Instruction is one of a module; SPIR-V's specification has the opcodes.
type Instruction struct {
	Op       uint32
	Operands []uint32 // words after the first
}

// Words returns the words of a module. It is an error if there is no header of SPIR-V.
func Words(code []byte) ([]uint32, error) {
	if len(code) < 4*header || len(code)%4 != 0 || binary.LittleEndian.Uint32(code) != magic {
		return nil, fmt.Errorf("spir-v: %d bytes that are not a module", len(code))
	}
	words := make([]uint32, len(code)/4)
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(code[4*i:])
	}
	return words, nil
}

// Each calls f for every instruction of a module's words, until f returns an error. The errors tell the
// word.
func Each(words []uint32, f func(Instruction) error) error {
	for at := header; at < len(words); {
		n := int(words[at] >> 16)
		if n == 0 || n > len(words)-at {
			return fmt.Errorf("spir-v: instruction at word %d runs past the end", at)
		}
		if err := f(Instruction{words[at] & 0xffff, words[at+1 : at+n]}); err != nil {
			return fmt.Errorf("spir-v: word %d: %w", at, err)
		}
		at += n
	}
	return nil
}

// Text reads a string that ends with a NUL.
func Text(words []uint32) string {
	var s []byte
	for _, x := range words {
		for range 4 {
			if byte(x) == 0 {
				return string(s)
			}
			s = append(s, byte(x))
			x >>= 8
		}
	}
	return string(s)
}
