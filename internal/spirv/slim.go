package spirv

import "encoding/binary"

// Instructions for debuggers, except for names: sources, lines and what tools say of themselves.
const (
	opSourceContinued = 2
	opSource          = 3
	opSourceExtension = 4
	opName            = 5
	opMemberName      = 6
	opString          = 7
	opLine            = 8
	opNoLine          = 317
	opModuleProcessed = 330
)

// Slim returns a module without what is there for debuggers, except for the names of what ReadArguments tells.
func Slim(code []byte) ([]byte, error) {
	words, err := Words(code)
	if err != nil {
		return nil, err
	}
	m, err := take(words)
	if err != nil {
		return nil, err
	}
	slim := append([]byte{}, code[:4*header]...)
	err = Each(words, func(i Instruction) error {
		switch i.Op {
		case opSourceContinued, opSource, opSourceExtension, opString, opLine, opNoLine, opModuleProcessed:
			return nil
		case opName:
			if _, constant := m.specID[i.Operands[0]]; !constant {
				return nil
			}
		case opMemberName:
			if i.Operands[0] != m.push {
				return nil
			}
		}
		slim = binary.LittleEndian.AppendUint32(slim, uint32(len(i.Operands)+1)<<16|i.Op)
		for _, w := range i.Operands {
			slim = binary.LittleEndian.AppendUint32(slim, w)
		}
		return nil
	})
	return slim, err
}
