package quant

// Q3_K is read only: 256 weights in 16 parts, each with a scale of 6 bits, less 32, which a float16
// multiplies; a weight has 3 bits, less 4. A block is the third bits, the other two, the scales and the float16.
var Q3_K = register(&Format{
	Name: "q3_k", Weights: block256, Bytes: 110, check: finite(110, []int{108}, "scale"),
	unpack: blockwise(block256, 110, func(out []float32, data []byte) {
		d, scales := halfAt(data, 108), data[96:108]
		for i := range out {
			part := i / 16
			scale := int(scales[part%8]>>(part/8*4)&15) | int(scales[8+part%4]>>(part/4*2)&3)<<4
			q := twos(data[32:96], i) + int(data[i%32]>>(i/32)&1)<<2
			out[i] = float32(d*float32(scale-32)) * float32(q-4)
		}
	}),
})
