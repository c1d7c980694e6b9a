package quant

import (
	"encoding/binary"
	"math"
)

// Q5_0 is no format that shaders read: 32 weights share a float16 scale, and each is a whole number of 5 bits,
// less 16, times it. The fifth bits of all stand before the other four.
var Q5_0 = register(&Format{
	Name: "q5_0", Weights: 32, Bytes: 22, check: finite(22, []int{0}, "scale"),
	unpack: blockwise(32, 22, func(out []float32, data []byte) {
		d := halfAt(data, 0)
		fives(data[2:22], func(i, q int) { out[i] = float32(q-16) * d })
	}),
	pack: packed(32, 22, packQ5),
})

// packQ5 packs a block of Q5_0 as ggml does: the number of largest magnitude becomes -16 scales.
func packQ5(data []byte, x []float32) bool {
	var most float32
	for _, v := range x {
		if math.Abs(float64(v)) > math.Abs(float64(most)) {
			most = v
		}
	}
	d, inverse := most/-16, float32(0)
	if !putHalf(data, 0, d) {
		return false
	}
	if d != 0 {
		inverse = 1 / d
	}
	var high uint32
	for i, v := range x {
		q := min(31, byte(float32(v*inverse)+16.5))
		data[6+i%16] |= q & 15 << (i / 16 * 4)
		high |= uint32(q>>4) << i
	}
	binary.LittleEndian.PutUint32(data[2:], high)
	return true
}

// Q5_1 is read only: as Q5_0 with a float16 minimum, a weight is a whole number times the scale plus that.
var Q5_1 = register(&Format{
	Name: "q5_1", Weights: 32, Bytes: 24, check: finite(24, []int{0, 2}, "scale", "minimum"),
	unpack: blockwise(32, 24, func(out []float32, data []byte) {
		d, m := halfAt(data, 0), halfAt(data, 2)
		fives(data[4:24], func(i, q int) { out[i] = float32(float32(q)*d) + m })
	}),
})

// fives gives the 32 numbers of 5 bits: 4 bytes of fifth bits, and 16 of the others.
func fives(data []byte, give func(i, q int)) {
	high := binary.LittleEndian.Uint32(data)
	for i, q := range data[4:20] {
		give(i, int(q&15)|int(high>>i&1)<<4)
		give(i+16, int(q>>4)|int(high>>(i+16)&1)<<4)
	}
}
