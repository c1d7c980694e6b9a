package quant

import (
	"encoding/binary"
	"fmt"
)

// A lane is a float of the given number of bytes within a word of 64 bits: the exponent's bits, one at their lowest, and those of
// the mantissa, for every float in the word.
type lane struct {
	bytes                   int
	exponent, one, mantissa uint64
}

var (
	laneF32  = lane{4, 0x7f800000_7f800000, 0x00800000_00800000, 0x007fffff_007fffff}
	laneF16  = lane{2, 0x7c00_7c00_7c00_7c00, 0x0400_0400_0400_0400, 0x03ff_03ff_03ff_03ff}
	laneBF16 = lane{2, 0x7f80_7f80_7f80_7f80, 0x0080_0080_0080_0080, 0x007f_007f_007f_007f}
)

// noNaN is an error when a row has a NaN, which would make one of every number that comes of it.
func (l lane) noNaN(row []byte) error {
	signs := ^(l.exponent | l.mantissa)
	// An exponent of ones, which infinities have, too, and one more carry into the sign, where nothing else does.
	seen, rest := uint64(0), row
	for len(rest) >= 32 {
		a, b := binary.LittleEndian.Uint64(rest), binary.LittleEndian.Uint64(rest[8:])
		c, d := binary.LittleEndian.Uint64(rest[16:]), binary.LittleEndian.Uint64(rest[24:])
		seen |= (a&l.exponent + l.one) | (b&l.exponent + l.one) | (c&l.exponent + l.one) | (d&l.exponent + l.one)
		rest = rest[32:]
	}
	if seen&signs == 0 {
		return l.find(rest, len(row)-len(rest))
	}
	return l.find(row, 0)
}

// find is noNaN of what begins at a byte of a row, number by number.
func (l lane) find(part []byte, at int) error {
	var word [8]byte
	mask := uint64(1)<<(8*l.bytes) - 1
	for i := 0; i < len(part); i += l.bytes {
		copy(word[:], part[i:i+l.bytes])
		float := binary.LittleEndian.Uint64(word[:])
		if float&l.exponent&mask == l.exponent&mask && float&l.mantissa&mask != 0 {
			return fmt.Errorf("column %d is NaN", (at+i)/l.bytes)
		}
	}
	return nil
}
