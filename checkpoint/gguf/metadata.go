package gguf

import (
	"fmt"
	"math"
	"strconv"
)

// Metadata is what a file says of its model besides the numbers, by keys. The first error is kept, so that
// whoever reads many need not look at each.
type Metadata struct {
	meta    map[string]value
	tensors map[string]tensor
	err     error
}

// Fail keeps an error of a key, if it is the first.
func (f *Metadata) Fail(key, format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf("%s: %w", key, fmt.Errorf(format, args...))
	}
}

// Err is the first error.
func (f *Metadata) Err() error { return f.err }

// Has says whether there is a tensor of a name.
func (f *Metadata) Has(tensor string) bool {
	_, ok := f.tensors[tensor]
	return ok
}

// Any is a string, a whole number or another number, whichever a key has; nil when it is absent.
func (f *Metadata) Any(key string) any {
	v, there := f.meta[key]
	if !there {
		return nil
	}
	if s, ok := v.text(); ok {
		return s
	}
	if n, ok := v.whole(); ok {
		return n
	}
	if x, ok := f.Decimal(key); ok {
		return x
	}
	return nil
}

// Decimals are numbers as Decimal has them, and infinities, if they are there.
func (f *Metadata) Decimals(key string) ([]float64, bool) {
	list, ok := field(f, key, "an array of numbers", value.reals)
	wide := make([]float64, len(list))
	for i, x := range list {
		wide[i] = shortest(x)
	}
	return wide, ok
}

// field reads a key, if it is there, by a function that says whether it is of the kind wanted.
func field[T any](f *Metadata, key, wanted string, read func(v value) (T, bool)) (T, bool) {
	v, there := f.meta[key]
	if !there {
		var none T
		return none, false
	}
	x, ok := read(v)
	if !ok {
		f.Fail(key, "is %s of kind %s, not %s", article(v), v, wanted)
	}
	return x, ok
}

// Count is a number of things, which must be there.
func (f *Metadata) Count(key string) int {
	n, ok := f.Optional(key)
	if !ok {
		f.Fail(key, "is missing")
	}
	return n
}

// Optional is a number of things, if it is there.
func (f *Metadata) Optional(key string) (int, bool) {
	n, ok := field(f, key, "a whole number", value.whole)
	if ok && (n < 0 || n > math.MaxInt32) {
		f.Fail(key, "%d is not within 0 to %d", n, math.MaxInt32)
	}
	return int(n), ok
}

// Text is a string, "" when it is absent.
func (f *Metadata) Text(key string) string {
	s, _ := field(f, key, "a string", value.text)
	return s
}

// Bool is true or false, nil when it is absent.
func (f *Metadata) Bool(key string) *bool {
	b, ok := field(f, key, "a bool", func(v value) (bool, bool) { return v.bool() })
	if !ok {
		return nil
	}
	return &b
}

// Decimal is a number as it was written before it became one of 32 bits, if it is there.
func (f *Metadata) Decimal(key string) (float64, bool) {
	x, ok := field(f, key, "a number", value.real)
	if ok && (math.IsNaN(x) || math.IsInf(x, 0)) {
		f.Fail(key, "is %g", x)
	}
	if f.meta[key].kind == kindFloat32 {
		x = shortest(float32(x))
	}
	return x, ok
}

// shortest is the number of the fewest decimal digits that becomes x in 32 bits.
func shortest(x float32) float64 {
	y, _ := strconv.ParseFloat(strconv.FormatFloat(float64(x), 'g', -1, 32), 64) // it was written just now
	return y
}
