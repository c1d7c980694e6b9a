package quant

// Q4_K is llama.cpp's quantization to 4.5 bits: 256 weights in 8 parts of 32, each with a scale and a minimum of
// 6 bits, which two float16s multiply, and a weight is a whole number of 4 bits times its part's scale less its
// minimum. A block is the two float16s, the scales and minima, and the weights: of every two parts the first
// has the lower halves of 32 bytes, the second the upper.
var Q4_K = register(&Format{
	Name: "q4_k", Weights: block256, Bytes: 144, check: finite(144, []int{0, 2}, "scale", "minimum"),
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
})
