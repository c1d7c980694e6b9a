package ref

// LimitRead returns the sums of what each of lanes neighbours reads: of every stretch of lanes · each
// rows, lane i adds up the rows i, i + lanes and so on.
// Shapes: data is (n · lanes · each, 4), the result (n · lanes, 4).
func LimitRead(data []float32, lanes, each int) []float32 {
	out := make([]float32, len(data)/each)
	sums := make([]float64, len(out))
	for i, v := range data {
		row := i / 4
		sums[(row/(lanes*each)*lanes+row%lanes)*4+i%4] += float64(v)
	}
	for i, v := range sums {
		out[i] = float32(v)
	}
	return out
}

// LimitFMA takes the numbers x, x+1, … x+7 of every row [x a b ·] through steps of x = a x + b and
// returns the sums of neighbours.
// Shapes: start and the result are (n, 4).
func LimitFMA(start []float32, steps int) []float32 {
	out := make([]float32, len(start))
	for row := 0; row < len(start); row += 4 {
		a, b := float64(start[row+1]), float64(start[row+2])
		for i := range 8 {
			x := float64(start[row]) + float64(i)
			for range steps {
				x = a*x + b
			}
			out[row+i/2] += float32(x)
		}
	}
	return out
}
