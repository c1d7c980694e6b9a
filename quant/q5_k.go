package quant

// Q5_K is read only: as Q4_K, with a fifth bit of every weight. A block is the two float16s, the scales and
// minima, the fifth bits and the other four.
var Q5_K = register(&Format{
	Name: "q5_k", Weights: block256, Bytes: 176, check: finite(176, []int{0, 2}, "scale", "minimum"),
	unpack: blockwise(block256, 176, func(out []float32, data []byte) {
		d, least := halfAt(data, 0), halfAt(data, 2)
		scales, minima := six(data[4:16])
		for i := range out {
			part := i / 32
			q := data[48+i/64*32+i%32]>>(part%2*4)&15 | data[16+i%32]>>part&1<<4
			out[i] = float32(float32(d*float32(scales[part]))*float32(q)) - float32(least*float32(minima[part]))
		}
	}),
})
