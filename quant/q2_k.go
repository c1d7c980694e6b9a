package quant

// Q2_K is read only: 256 weights in 16 parts, each with a scale and a minimum of 4 bits, which two float16s
// multiply; a weight has 2 bits. A block is the parts' scales, the weights, and the float16s.
var Q2_K = register(&Format{
	Name: "q2_k", Weights: block256, Bytes: 84, check: finite(84, []int{80, 82}, "scale", "minimum"),
	unpack: blockwise(block256, 84, func(out []float32, data []byte) {
		d, least := halfAt(data, 80), halfAt(data, 82)
		for i := range out {
			part := data[i/16]
			q := twos(data[16:80], i)
			out[i] = float32(float32(d*float32(part&15))*float32(q)) - float32(least*float32(part>>4))
		}
	}),
})

// twos is the i-th number of 2 bits of a block of 256: of each half of a block 32 bytes hold four runs of 32.
func twos(data []byte, i int) int { return int(data[i/128*32+i%32] >> (i % 128 / 32 * 2) & 3) }
