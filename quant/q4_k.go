package quant

// Q4_K is llama.cpp's quantization to 4.5 bits: 256 weights in 8 parts of 32, each with a scale and a minimum of
// 6 bits, which two float16s multiply, and a weight is a whole number of 4 bits times its part's scale less its
// minimum. A block is the two float16s, the scales and minima, and the weights: of every two parts the first
// has the lower halves of 32 bytes, the second the upper.
//
// In a panel a part of a row is a unit, two neighbours a byte, and behind the weights of 8 rows lie 16 bytes of
// each: the float16s, the lower four bits of the scales and of the minima, and the upper two of both.
var Q4_K = register(&Format{
	Name: "q4_k", Shader: "q4k", Weights: block256, Bytes: 144, check: finite(144, []int{0, 2}, "scale", "minimum"),
	unpack: blockwise(block256, 144, func(out []float32, data []byte) {
		d, least := halfAt(data, 0), halfAt(data, 2)
		scales, minima := six(data[4:16])
		for part := range 8 {
			scale, minimum := d*float32(scales[part]), least*float32(minima[part])
			for i, q := range data[16+part/2*32:][:32] {
				out[part*32+i] = float32(scale*float32(q>>(part%2*4)&15)) - minimum
			}
		}
	}),
	pack:  packed(block256, 144, packQ4K),
	panel: panel{blocks: 1, units: 8, beside: 16, put: putQ4K}, other: Q8_0,
})

// packQ4K packs a block as ggml does: each part by the scale and minimum that suit it best, which are then rounded.
func packQ4K(data []byte, x []float32) bool {
	var scales, minima [8]float32
	var mostScale, mostMinimum float32
	for part := range scales {
		scales[part], minima[part] = scaleAndMinimum(x[part*32:(part+1)*32], 15)
		mostScale, mostMinimum = max(mostScale, scales[part]), max(mostMinimum, minima[part])
	}
	if !putHalf(data, 0, mostScale/63) || !putHalf(data, 2, mostMinimum/63) {
		return false
	}
	inverse := func(most float32) float32 {
		if most > 0 {
			return 63 / most
		}
		return 0
	}
	inverseScale, inverseMinimum := inverse(mostScale), inverse(mostMinimum)
	d, least := halfAt(data, 0), halfAt(data, 2)
	for part := range scales {
		s, m := byte(within(float32(inverseScale*scales[part]), 0, 63)), byte(within(float32(inverseMinimum*minima[part]), 0, 63))
		putSix(data[4:16], part, s, m)
		scale, minimum := d*float32(s), least*float32(m)
		if scale == 0 {
			continue
		}
		for i, v := range x[part*32 : (part+1)*32] {
			q := within((v+minimum)/scale, 0, 15)
			data[16+part/2*32+i] |= byte(q) << (part % 2 * 4)
		}
	}
	return true
}

// putQ4K lays a row's block out in one of a panel.
func putQ4K(block []byte, row int, part []byte) {
	for i := range block256 {
		q := part[16+i/64*32+i%32] >> (i / 32 % 2 * 4) & 15
		block[(i/32*PanelRows+row)*UnitBytes+i%32/2] |= q << (i % 2 * 4)
	}
	head := block[(8*PanelRows+row)*UnitBytes:][:16]
	copy(head, part[:4])
	scales, minima := six(part[4:16])
	for i := range 8 {
		head[4+i/2] |= scales[i] & 15 << (i % 2 * 4)
		head[8+i/2] |= minima[i] & 15 << (i % 2 * 4)
		head[12+i/4] |= scales[i] >> 4 << (i % 4 * 2)
		head[14+i/4] |= minima[i] >> 4 << (i % 4 * 2)
	}
}
