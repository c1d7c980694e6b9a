package quant

import "encoding/binary"

// iq4 are the numbers that the 4 bits of a weight of IQ4_NL and IQ4_XS stand for.
var iq4 = [16]float32{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// IQ4_NL is read only: 32 weights share a float16 scale, and each is one of 16 numbers times it.
var IQ4_NL = register(&Format{
	Name: "iq4_nl", Weights: 32, Bytes: 18, check: finite(18, []int{0}, "scale"),
	unpack: blockwise(32, 18, func(out []float32, data []byte) {
		d := halfAt(data, 0)
		for i, q := range data[2:18] {
			out[i], out[i+16] = d*iq4[q&15], d*iq4[q>>4]
		}
	}),
})

// IQ4_XS is read only: 256 weights in 8 parts, each with a scale of 6 bits, less 32, which a float16
// multiplies; a weight is one of 16 numbers times that. A block is the float16, the upper two bits of all
// scales, the lower four, and the weights.
var IQ4_XS = register(&Format{
	Name: "iq4_xs", Weights: block256, Bytes: 136, check: finite(136, []int{0}, "scale"),
	unpack: blockwise(block256, 136, func(out []float32, data []byte) {
		d, high := halfAt(data, 0), binary.LittleEndian.Uint16(data[2:])
		for part := range 8 {
			scale := int(data[4+part/2]>>(part%2*4)&15) | int(high>>(2*part)&3)<<4
			dl := d * float32(scale-32)
			for i, q := range data[8+part*16:][:16] {
				out[part*32+i], out[part*32+i+16] = dl*iq4[q&15], dl*iq4[q>>4]
			}
		}
	}),
})
