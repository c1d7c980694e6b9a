package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// kind is a type of values in the metadata.
type kind uint32

const (
	kindUint8 kind = iota
	kindInt8
	kindUint16
	kindInt16
	kindUint32
	kindInt32
	kindFloat32
	kindBool
	kindString
	kindArray
	kindUint64
	kindInt64
	kindFloat64
	kindEnd
)

// kindSizes are the bytes of a value; strings and arrays have none of their own.
var kindSizes = [kindEnd]int{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}

var kindNames = [kindEnd]string{"uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "bool", "string", "array",
	"uint64", "int64", "float64"}

// String is the name that the format's definition has for a kind.
func (k kind) String() string {
	if k < kindEnd {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint32(k))
}

// value is one of the metadata. It lies in the file until one of its methods reads it; those say whether it
// is of the kind they read.
type value struct {
	kind kind
	elem kind   // of an array
	n    int    // entries of an array
	raw  []byte // without the length of a string or array
}

// number reads one whole number of a kind.
func number(k kind, raw []byte) (int64, bool) {
	le := binary.LittleEndian
	switch k {
	case kindUint8:
		return int64(raw[0]), true
	case kindInt8:
		return int64(int8(raw[0])), true
	case kindUint16:
		return int64(le.Uint16(raw)), true
	case kindInt16:
		return int64(int16(le.Uint16(raw))), true
	case kindUint32:
		return int64(le.Uint32(raw)), true
	case kindInt32:
		return int64(int32(le.Uint32(raw))), true
	case kindUint64, kindInt64:
		n := le.Uint64(raw)
		return int64(n), k == kindInt64 || n <= math.MaxInt64
	}
	return 0, false
}

// real reads one number of a kind.
func real(k kind, raw []byte) (float64, bool) {
	switch k {
	case kindFloat32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(raw))), true
	case kindFloat64:
		return math.Float64frombits(binary.LittleEndian.Uint64(raw)), true
	}
	n, ok := number(k, raw)
	return float64(n), ok
}

// whole is a whole number of any kind.
func (v value) whole() (int64, bool) { return number(v.kind, v.raw) }

// real is a number of any kind.
func (v value) real() (float64, bool) { return real(v.kind, v.raw) }

// bool is true or false.
func (v value) bool() (yes, ok bool) {
	if v.kind != kindBool {
		return false, false
	}
	return v.raw[0] != 0, true
}

// text is a string.
func (v value) text() (string, bool) {
	if v.kind != kindString {
		return "", false
	}
	return string(v.raw), true
}

// texts is an array of strings.
func (v value) texts() ([]string, bool) {
	if v.kind != kindArray || v.elem != kindString {
		return nil, false
	}
	all, raw := make([]string, v.n), v.raw
	for i := range all {
		if len(raw) < 8 { // it was sound when the file was read: another program has written to it
			return nil, false
		}
		n := binary.LittleEndian.Uint64(raw)
		if n > uint64(len(raw)-8) {
			return nil, false
		}
		all[i], raw = string(raw[8:8+n]), raw[8+n:]
	}
	return all, true
}

// list reads an array by a function of its entries.
func list[T any](v value, read func(k kind, raw []byte) (T, bool)) ([]T, bool) {
	if v.kind != kindArray || v.elem == kindString {
		return nil, false
	}
	size := kindSizes[v.elem]
	all := make([]T, v.n)
	for i := range all {
		var ok bool
		if all[i], ok = read(v.elem, v.raw[i*size:(i+1)*size]); !ok {
			return nil, false
		}
	}
	return all, true
}

// wholes is an array of whole numbers within int32.
func (v value) wholes() ([]int32, bool) {
	return list(v, func(k kind, raw []byte) (int32, bool) {
		n, ok := number(k, raw)
		return int32(n), ok && n >= math.MinInt32 && n <= math.MaxInt32
	})
}

// reals is an array of numbers.
func (v value) reals() ([]float32, bool) {
	return list(v, func(k kind, raw []byte) (float32, bool) {
		x, ok := real(k, raw)
		return float32(x), ok
	})
}

// bytes is an array of bytes.
func (v value) bytes() ([]byte, bool) {
	if v.kind != kindArray || v.elem != kindUint8 && v.elem != kindInt8 {
		return nil, false
	}
	return append([]byte{}, v.raw...), true
}

// String says what kind of value it is.
func (v value) String() string {
	if v.kind == kindArray {
		return fmt.Sprintf("array of %d %s", v.n, v.elem)
	}
	return v.kind.String()
}
