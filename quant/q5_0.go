package quant

import "encoding/binary"

// Q5_0 is no format that shaders read: 32 weights share a float16 scale, and each is a whole number of 5 bits,
// less 16, times it. The fifth bits of all stand before the other four.
var Q5_0 = register(&Format{
	Name: "q5_0", Weights: 32, Bytes: 22, check: finite(22, []int{0}, "scale"),
	unpack: blockwise(32, 22, func(out []float32, data []byte) {
		d := halfAt(data, 0)
		fives(data[2:22], func(i, q int) { out[i] = float32(q-16) * d })
	}),
})

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
