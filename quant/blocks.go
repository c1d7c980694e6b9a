package quant

import (
	"encoding/binary"
	"fmt"
)

// block256 is the weights of a block of the formats whose names end with K, and of some others.
const block256 = 256

// blockwise unpacks rows of a format of so many weights and bytes a block, block after block: one gives the
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

// halfAt is the float16 at a place of some bytes.
func halfAt(data []byte, at int) float32 { return F16ToFloat32(binary.LittleEndian.Uint16(data[at:])) }

// putHalf rounds x to a float16, puts it at a place of some bytes, and says whether it is finite there.
func putHalf(data []byte, at int, x float32) bool {
	h := Float32ToF16(x)
	binary.LittleEndian.PutUint16(data[at:], h)
	return h&0x7c00 != 0x7c00
}

// finite checks the float16s at some places of every block of so many bytes; names are theirs, for errors.
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
