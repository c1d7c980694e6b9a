package quant

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The canonical block of Q8_0: a scale, an F16, and a byte for every weight.
const (
	q8Weights = 32
	q8Scale   = 2
	q8Bytes   = q8Scale + q8Weights
)

// Q8_0 is llama.cpp's quantization to eight bits: every 32 neighbours in a row share a scale d, and a weight
// is a whole number q from -127 to 127 that stands for q·d. d is the largest magnitude of a block by 127,
// and q is x/d, ties away from zero, before d is rounded to F16. A number that is not finite, or too large
// for an F16 scale, cannot be held.
//
// In a panel, 32 columns of the 8 rows are two units of weights and behind them the rows' scales.
var Q8_0 = register(&Format{
	Name: "q8_0", Shader: "q8", Weights: q8Weights, Bytes: q8Bytes,
	pack: packQ8, unpack: unpackQ8, check: checkQ8,
	panel: panel{
		blocks: 1, units: q8Weights / UnitBytes, beside: q8Scale,
		put: func(block []byte, row int, part []byte) {
			interleave(block, row, part[q8Scale:])
			copy(block[PanelRows*q8Weights+row*q8Scale:], part[:q8Scale])
		},
	},
})

func packQ8(data []byte, row []float32) int {
	for b := range len(data) / q8Bytes {
		part, block := row[b*q8Weights:min((b+1)*q8Weights, len(row))], data[b*q8Bytes:(b+1)*q8Bytes]
		d := largest(part) / 127
		narrow := Float32ToF16(d)
		if narrow&0x7c00 == 0x7c00 {
			return b
		}
		clear(block)
		binary.LittleEndian.PutUint16(block, narrow)
		inverse := float32(0)
		if narrow != 0 {
			inverse = 1 / d
		}
		for i, x := range part {
			block[q8Scale+i] = byte(int8(math.Round(float64(float32(x * inverse)))))
		}
	}
	return -1
}

func unpackQ8(row []float32, data []byte) {
	for b := range len(data) / q8Bytes {
		part, block := row[b*q8Weights:min((b+1)*q8Weights, len(row))], data[b*q8Bytes:]
		d := F16ToFloat32(binary.LittleEndian.Uint16(block))
		for i := range part {
			part[i] = float32(int8(block[q8Scale+i])) * d
		}
	}
}

// checkQ8 is an error when one of a row's scales is not finite.
func checkQ8(row []byte) error {
	for b := range len(row) / q8Bytes {
		if h := binary.LittleEndian.Uint16(row[b*q8Bytes:]); h&0x7c00 == 0x7c00 {
			return fmt.Errorf("scale %d of a row is %g", b, F16ToFloat32(h))
		}
	}
	return nil
}
