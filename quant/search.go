package quant

import "math"

// What follows is ggml's search for the scales of a part of a block, in its order of float32 operations, so that a
// row becomes the same bytes as with llama.cpp's quantizer. Products are rounded one by one: no processor may fuse them
// with sums.

// tiny is the magnitude below which ggml takes all weights of a part for zeros.
const tiny = 1e-15

// nearest is x rounded to a whole number, ties to even, for magnitudes below 4 million.
func nearest(x float32) int {
	return int(math.Float32bits(x+12582912)&0x7fffff) - 0x400000
}

// within is nearest, but at least low and at most high.
func within(x float32, low, high int) int { return max(low, min(high, nearest(x))) }

// A fit is what a part of a block is to be: x ≈ scale · q + low, q from 0 to top.
type fit struct {
	x, weights []float32
	q          []float32 // the whole numbers at hand
	top, low   float32
	sumW, sumX float32
}

// scaleAndMinimum searches for the scale and the minimum of some numbers (ggml's make_qkx2_quants): their whole numbers
// are 0 to top, and errors count by the mean magnitude plus a number's own. What is subtracted is returned, at least 0.
func scaleAndMinimum(x []float32, top float32) (scale, minimum float32) {
	var squares float32
	for _, v := range x {
		squares += float32(v * v)
	}
	mean := float32(math.Sqrt(float64(squares / float32(len(x)))))
	var room [64]float32 // for parts of 32
	f := fit{x: x, weights: room[:len(x)], q: room[32:][:len(x)], top: top}
	low, high := x[0], x[0]
	for i, v := range x {
		w := mean + float32(math.Abs(float64(v)))
		f.weights[i] = w
		f.sumW += w
		f.sumX += float32(w * v)
		low, high = min(low, v), max(high, v)
	}
	low = min(low, 0)
	if high == low {
		return 0, -low
	}
	f.low = low
	inverse := top / (high - low)
	scale = 1 / inverse
	f.round(inverse)
	best := f.off(scale, low)
	for step := range 21 {
		f.round((float32(-1+float32(float32(0.1)*float32(step))) + top) / (high - f.low))
		s, m, ok := f.line()
		if !ok {
			continue
		}
		if off := f.off(s, m); off < best {
			best, scale, f.low = off, s, m // and from here on numbers are counted from there
		}
	}
	return scale, -f.low
}

// round finds the whole numbers of an inverse scale.
func (f *fit) round(inverse float32) {
	for i, v := range f.x {
		f.q[i] = float32(within(float32(inverse*(v-f.low)), 0, int(f.top)))
	}
}

// off is how far scale · q + least is from the numbers.
func (f *fit) off(scale, least float32) (off float32) {
	for i, v := range f.x {
		d := float32(scale*f.q[i]) + least - v
		off += float32(f.weights[i] * float32(d*d))
	}
	return off
}

// line is the scale and the minimum that suit the whole numbers best.
func (f *fit) line() (scale, least float32, ok bool) {
	var l, l2, xl float32
	for i, v := range f.x {
		q := f.q[i]
		wq := float32(f.weights[i] * q)
		l += wq
		l2 += float32(wq * q)
		xl += float32(wq * v)
	}
	determinant := float32(f.sumW*l2) - float32(l*l)
	if !(determinant > 0) {
		return 0, 0, false
	}
	scale = (float32(f.sumW*xl) - float32(f.sumX*l)) / determinant
	least = (float32(l2*f.sumX) - float32(l*xl)) / determinant
	if least > 0 {
		scale, least = xl/l2, 0
	}
	return scale, least, true
}

// scaleOf searches for the scale of some numbers (ggml's make_qx_quants): x ≈ scale · q, q from -top to top-1, and errors
// count by a number's square.
func scaleOf(x []float32, top float32) (scale float32) {
	var most, largest float32
	for _, v := range x {
		if a := float32(math.Abs(float64(v))); a > most {
			most, largest = a, v
		}
	}
	if most < tiny {
		return 0
	}
	sums := func(inverse float32) (lx, l2 float32) {
		for _, v := range x {
			q, w := float32(within(float32(inverse*v), -int(top), int(top)-1)), float32(v*v)
			lx += float32(float32(w*v) * q)
			l2 += float32(float32(w*q) * q)
		}
		return lx, l2
	}
	lx, l2 := sums(-top / largest)
	if l2 > 0 {
		scale = lx / l2
	}
	best := float32(scale * lx)
	for step := -9; step <= 9; step++ {
		if step == 0 {
			continue
		}
		lx, l2 := sums(-(top + float32(float32(0.1)*float32(step))) / largest)
		if l2 > 0 && float32(lx*lx) > float32(best*l2) {
			scale = lx / l2
			best = float32(scale * lx)
		}
	}
	return scale
}
