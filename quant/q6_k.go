package quant

import (
	"encoding/binary"
	"math"
)

// Q6_K is llama.cpp's quantization to 6.6 bits: 256 weights in 16 parts, each with a scale of 8 bits, which a
// float16 multiplies, and a weight is a whole number of 6 bits, less 32, times that. A block is the lower four
// bits of all weights, the upper two, the scales and the float16.
//
// In a panel 16 neighbours of a row are three words of five weights each and, in the two bits that each of them has to
// spare, one weight more. Of the six words of 32 neighbours four are a unit; the other two of all units lie behind those
// of 8 rows, then the rows' scales, and then their float16s.
var Q6_K = register(&Format{
	Name: "q6_k", Shader: "q6k", Weights: block256, Bytes: 210, check: finite(210, []int{208}, "scale"),
	unpack: blockwise(block256, 210, func(out []float32, data []byte) {
		d := halfAt(data, 208)
		for part := range 16 {
			scale := d * float32(int8(data[192+part]))
			for i := part * 16; i < part*16+16; i++ {
				out[i] = scale * float32(sixOf(data, i)-32)
			}
		}
	}),
	pack:  packed(block256, 210, packQ6K),
	panel: panel{blocks: 1, units: 8, beside: 64 + 16 + 2, put: putQ6K}, other: Q8_0,
})

// packQ6K packs a block as ggml does: each part by the scale that suits it best, which is then rounded.
func packQ6K(data []byte, x []float32) bool {
	var scales [16]float32
	var most float32
	for part := range scales {
		scales[part] = scaleOf(x[part*16:(part+1)*16], 32)
		if math.Abs(float64(scales[part])) > math.Abs(float64(most)) {
			most = scales[part]
		}
	}
	if math.Abs(float64(most)) < tiny {
		return true
	}
	inverse := -128 / most
	if !putHalf(data, 208, 1/inverse) {
		return false
	}
	d := halfAt(data, 208)
	for part := range scales {
		s := min(127, nearest(float32(inverse*scales[part])))
		data[192+part] = byte(int8(s))
		scale := d * float32(s)
		for i := part * 16; i < part*16+16; i++ {
			q := 0
			if scale != 0 {
				q = within(x[i]/scale, -32, 31)
			}
			putSixOf(data, i, q+32)
		}
	}
	return true
}

// putQ6K lays a row's block out in one of a panel.
func putQ6K(block []byte, row int, part []byte) {
	for u := range 8 {
		var words [6]uint32
		for i := range 6 {
			for j := range 5 {
				words[i] |= uint32(sixOf(part, u*32+i/3*16+i%3*5+j)^32) << (6 * j)
			}
			words[i] |= uint32(sixOf(part, u*32+i/3*16+15)^32) >> (i % 3 * 2) & 3 << 30 // of the last
		}
		for i, word := range words {
			at := (u*PanelRows + row) * UnitBytes
			if i >= 4 {
				at, i = ((8+u/2)*PanelRows+row)*UnitBytes+u%2*8, i-4
			}
			binary.LittleEndian.PutUint32(block[at+4*i:], word)
		}
	}
	copy(block[(12*PanelRows+row)*UnitBytes:], part[192:208])
	copy(block[13*PanelRows*UnitBytes+2*row:], part[208:210])
}

// sixOf is the i-th number of 6 bits of a block of Q6_K: of each half of a block, 64 bytes hold the lower bits of
// two runs of 64, and 32 bytes the upper bits of four runs of 32.
func sixOf(data []byte, i int) int {
	half, i := i/128, i%128
	return int(data[half*64+i%64]>>(i/64*4)&15) | int(data[128+half*32+i%32]>>(i/32*2)&3)<<4
}

// putSixOf puts the i-th number of 6 bits into a block that has none there.
func putSixOf(data []byte, i, q int) {
	half, i := i/128, i%128
	data[half*64+i%64] |= byte(q&15) << (i / 64 * 4)
	data[128+half*32+i%32] |= byte(q>>4) << (i / 32 * 2)
}
