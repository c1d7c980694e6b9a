package quant

// Q4_0 is read only: 32 weights share a float16 scale, and each is a whole number of 4 bits, less 8, times it.
var Q4_0 = register(&Format{
	Name: "q4_0", Weights: 32, Bytes: 18, check: finite(18, []int{0}, "scale"),
	unpack: blockwise(32, 18, func(out []float32, data []byte) {
		d := halfAt(data, 0)
		for i, q := range data[2:18] {
			out[i], out[i+16] = float32(int(q&15)-8)*d, float32(int(q>>4)-8)*d
		}
	}),
})

// Q4_1 is read only: 32 weights share a float16 scale and a float16 minimum, and each is a whole number of
// 4 bits times the one plus the other.
var Q4_1 = register(&Format{
	Name: "q4_1", Weights: 32, Bytes: 20, check: finite(20, []int{0, 2}, "scale", "minimum"),
	unpack: blockwise(32, 20, func(out []float32, data []byte) {
		d, m := halfAt(data, 0), halfAt(data, 2)
		for i, q := range data[4:20] {
			out[i], out[i+16] = float32(float32(q&15)*d)+m, float32(float32(q>>4)*d)+m
		}
	}),
})
