package quant

import (
	"encoding/binary"
	"fmt"
	"math"
)

// block256 is the weights of a block of the formats whose names end with K, and of some others.
const block256 = 256

// blockwise unpacks rows of a format of the given number of weights and bytes a block, block after block: one gives the
// numbers of a whole block, of which a row may need fewer.
func blockwise(weights, bytes int, one func(out []float32, data []byte)) func(row []float32, data []byte) {
	return func(row []float32, data []byte) {
		for ; len(row) >= weights; row, data = row[weights:], data[bytes:] {
			one(row[:weights], data[:bytes])
		}
		if len(row) > 0 {
			rest := make([]float32, weights)
			one(rest, data[:bytes])
			copy(row, rest)
		}
	}
}

// packed packs rows of a format of the given number of weights and bytes a block: one packs a block's numbers, all of them finite, into
// zeros, and says whether the format can hold them. What a row lacks of its last block is zeros.
func packed(weights, bytes int, one func(data []byte, x []float32) bool) func(data []byte, row []float32) int {
	return func(data []byte, row []float32) int {
		for b := range len(data) / bytes {
			x := row[b*weights : min((b+1)*weights, len(row))]
			if most := largest(x); !(most <= math.MaxFloat32) {
				return b
			}
			if len(x) < weights {
				x = append(make([]float32, 0, weights), x...)[:weights]
			}
			block := data[b*bytes : (b+1)*bytes]
			clear(block)
			if !one(block, x) {
				return b
			}
		}
		return -1
	}
}

// halfAt is the float16 at a place of some bytes.
func halfAt(data []byte, at int) float32 { return F16ToFloat32(binary.LittleEndian.Uint16(data[at:])) }

// putHalf rounds x to a float16, puts it at a place of some bytes, and says whether it is finite there.
func putHalf(data []byte, at int, x float32) bool {
	h := Float32ToF16(x)
	binary.LittleEndian.PutUint16(data[at:], h)
	return h&0x7c00 != 0x7c00
}

// finite checks the float16s at some places of every block of the given number of bytes; names are theirs, for errors.
func finite(bytes int, places []int, names ...string) func(row []byte) error {
	return func(row []byte) error {
		for b := range len(row) / bytes {
			for i, at := range places {
				if x := row[b*bytes+at:]; binary.LittleEndian.Uint16(x)&0x7c00 == 0x7c00 {
					return fmt.Errorf("%s %d of a row is %g", names[i], b, halfAt(x, 0))
				}
			}
		}
		return nil
	}
}

// six unpacks the scales and minima of eight parts of a block, six bits each, from the 12 bytes in which Q4_K
// and Q5_K have them: whole numbers to be multiplied with the block's two float16s.
func six(data []byte) (scales, minima [8]byte) {
	for i := range 4 {
		scales[i], minima[i] = data[i]&63, data[i+4]&63
		scales[i+4] = data[i+8]&15 | data[i]>>6<<4
		minima[i+4] = data[i+8]>>4 | data[i+4]>>6<<4
	}
	return scales, minima
}

// putSix puts a scale and a minimum into such 12 bytes, in which there are none of this part.
func putSix(data []byte, part int, scale, minimum byte) {
	if part < 4 {
		data[part] |= scale
		data[part+4] |= minimum
		return
	}
	data[part+4] |= scale&15 | minimum&15<<4
	data[part-4] |= scale >> 4 << 6
	data[part] |= minimum >> 4 << 6
}
