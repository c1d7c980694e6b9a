package quant

// Q6_K is llama.cpp's quantization to 6.6 bits: 256 weights in 16 parts, each with a scale of 8 bits, which a
// float16 multiplies, and a weight is a whole number of 6 bits, less 32, times that. A block is the lower four
// bits of all weights, the upper two, the scales and the float16.
var Q6_K = register(&Format{
	Name: "q6_k", Weights: block256, Bytes: 210, check: finite(210, []int{208}, "scale"),
	unpack: blockwise(block256, 210, func(out []float32, data []byte) {
		d := halfAt(data, 208)
		for part := range 16 {
			scale := d * float32(int8(data[192+part]))
			for i := part * 16; i < part*16+16; i++ {
				out[i] = scale * float32(sixOf(data, i)-32)
			}
		}
	}),
})

// sixOf is the i-th number of 6 bits of a block of Q6_K: of each half of a block, 64 bytes hold the lower bits of
// two runs of 64, and 32 bytes the upper bits of four runs of 32.
func sixOf(data []byte, i int) int {
	half, i := i/128, i%128
	return int(data[half*64+i%64]>>(i/64*4)&15) | int(data[128+half*32+i%32]>>(i/32*2)&3)<<4
}
