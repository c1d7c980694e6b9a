package quant

import "math"

// F16ToFloat32 widens an IEEE 754 half exactly, subnormals, infinities and NaN payloads included.
func F16ToFloat32(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exp, man := uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exp {
	case 0: // zero and subnormals: man units of 2^-24, which float32 holds exactly
		return math.Float32frombits(sign | math.Float32bits(float32(man)*0x1p-24))
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | man<<13)
	}
	return math.Float32frombits(sign | (exp+127-15)<<23 | man<<13)
}

// BF16ToFloat32 widens a bfloat16 exactly: it is the upper half of a float32.
func BF16ToFloat32(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

// Float32ToF16 narrows to an IEEE 754 half, to nearest with ties to even. Values from 65520 up
// become infinite; a NaN stays a (quiet) NaN.
func Float32ToF16(f float32) uint16 {
	b := math.Float32bits(f)
	sign, abs := uint16(b>>31)<<15, b&0x7fffffff
	switch {
	case abs > 0x7f800000:
		return sign | 0x7e00 | uint16(abs>>13)&0x3ff
	case abs >= 0x477ff000: // 65520, halfway between the largest half and the next power of two
		return sign | 0x7c00
	case abs >= 0x38800000: // 2^-14, the smallest normal half
		abs -= (127 - 15) << 23
		return sign | uint16((abs+0xfff+abs>>13&1)>>13)
	case abs < 0x33000000: // 2^-25, half of the smallest subnormal
		return sign
	}
	shift := 126 - abs>>23 // brings the significand to units of 2^-24
	man := abs&0x7fffff | 0x800000
	q, rest, half := man>>shift, man&(1<<shift-1), uint32(1)<<(shift-1)
	if rest > half || rest == half && q&1 == 1 {
		q++
	}
	return sign | uint16(q)
}

// Float32ToBF16 narrows to a bfloat16, to nearest with ties to even. A NaN stays a (quiet) NaN.
func Float32ToBF16(f float32) uint16 {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}
