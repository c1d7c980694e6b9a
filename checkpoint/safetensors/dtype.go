package safetensors

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/mmrun/mmrun/quant"
)

// DType is the element type of a tensor. The zero value is no type at all.
type DType uint8

// The element types that a file may hold.
const (
	F32 DType = iota + 1
	F16
	BF16
	F64
	I8
	U8
	I16
	U16
	I32
	U32
	I64
	U64
	Bool
)

var dtypes = [...]struct {
	name string
	size int
}{
	F32: {"F32", 4}, F16: {"F16", 2}, BF16: {"BF16", 2}, F64: {"F64", 8},
	I8: {"I8", 1}, U8: {"U8", 1}, I16: {"I16", 2}, U16: {"U16", 2},
	I32: {"I32", 4}, U32: {"U32", 4}, I64: {"I64", 8}, U64: {"U64", 8},
	Bool: {"BOOL", 1},
}

// ParseDType returns the type with the name that files use, such as "BF16".
func ParseDType(name string) (DType, error) {
	for d := F32; int(d) < len(dtypes); d++ {
		if dtypes[d].name == name {
			return d, nil
		}
	}
	return 0, fmt.Errorf("unknown dtype %s", quote(name))
}

// valid reports whether d is one of the constants above.
func (d DType) valid() bool { return d >= F32 && int(d) < len(dtypes) }

// String returns the name that files use, such as "BF16".
func (d DType) String() string {
	if !d.valid() {
		return fmt.Sprintf("DType(%d)", uint8(d))
	}
	return dtypes[d].name
}

// Size returns the bytes of one element, 0 for a value that is no type.
func (d DType) Size() int {
	if !d.valid() {
		return 0
	}
	return dtypes[d].size
}

// Float reports whether Widen can read the type.
func (d DType) Float() bool { return d == F32 || d == F16 || d == BF16 || d == F64 }

// Widen reads little-endian elements of type d out of src into dst. F16 and BF16 are exact,
// F64 is rounded to nearest. It is an error when d is no float type or when src does not hold
// exactly len(dst) elements.
func (d DType) Widen(dst []float32, src []byte) error {
	if !d.Float() {
		return fmt.Errorf("dtype %s is not a float type", d)
	}
	if len(src) != len(dst)*d.Size() {
		return fmt.Errorf("%d bytes are not %d elements of %s", len(src), len(dst), d)
	}
	le := binary.LittleEndian
	switch d {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(le.Uint32(src[4*i:]))
		}
	case F16:
		for i := range dst {
			dst[i] = quant.F16ToFloat32(le.Uint16(src[2*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = quant.BF16ToFloat32(le.Uint16(src[2*i:]))
		}
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(le.Uint64(src[8*i:])))
		}
	}
	return nil
}

// Narrow appends src to dst as little-endian elements of type d, F32, F16 or BF16, rounding to
// nearest even.
func (d DType) Narrow(dst []byte, src []float32) ([]byte, error) {
	le := binary.LittleEndian
	switch d {
	case F32:
		for _, v := range src {
			dst = le.AppendUint32(dst, math.Float32bits(v))
		}
	case F16:
		for _, v := range src {
			dst = le.AppendUint16(dst, quant.Float32ToF16(v))
		}
	case BF16:
		for _, v := range src {
			dst = le.AppendUint16(dst, quant.Float32ToBF16(v))
		}
	default:
		return dst, fmt.Errorf("float32 is not written as dtype %s", d)
	}
	return dst, nil
}
