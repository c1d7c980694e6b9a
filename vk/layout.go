package vk

import "fmt"

// maxNesting bounds the depth of a type; real ones stay below ten.
const maxNesting = 32

// size is the number of bytes of a type: with explicit layout decorations the extent they give,
// without them (workgroup memory) the packed size.
func (m *module) size(id uint32, depth int) (int64, error) {
	t := m.types[id]
	if len(t) == 0 || depth > maxNesting {
		return 0, fmt.Errorf("type %d has no size", id)
	}
	switch t[0] {
	case opTypeInt, opTypeFloat:
		return int64(t[1] / 8), nil
	case opTypeVector:
		n, err := m.size(t[1], depth+1)
		return n * int64(t[2]), err
	case opTypeMatrix:
		n, err := m.size(t[1], depth+1)
		return n * int64(t[2]), err
	case opTypeArray:
		return m.arraySize(id, t, depth)
	case opTypeStruct:
		return m.structSize(id, t, depth)
	}
	return 0, fmt.Errorf("type %d (opcode %d) has no size", id, t[0])
}

func (m *module) arraySize(id uint32, t []uint32, depth int) (int64, error) {
	length, ok := m.constants[t[2]]
	if !ok {
		return 0, fmt.Errorf("array type %d has no known length", id)
	}
	n, err := m.size(t[1], depth+1)
	if err != nil {
		return 0, err
	}
	if stride, ok := m.decorated[target{id, -1}][decArrayStride]; ok {
		n = int64(stride)
	}
	if length > 0 && n > (1<<40)/int64(length) {
		return 0, fmt.Errorf("array type %d of %d times %d bytes is absurd", id, length, n)
	}
	return n * int64(length), nil
}

func (m *module) structSize(id uint32, t []uint32, depth int) (size int64, err error) {
	for i, member := range t[1:] {
		n, err := m.size(member, depth+1)
		if err != nil {
			return 0, err
		}
		d := m.decorated[target{id, i}]
		if stride, ok := d[decMatrixStride]; ok {
			if mt := m.types[member]; mt[0] == opTypeMatrix {
				n = int64(stride) * int64(mt[2])
			}
		}
		if off, ok := d[decOffset]; ok {
			size = max(size, int64(off)+n)
		} else {
			size += n
		}
	}
	return size, nil
}
