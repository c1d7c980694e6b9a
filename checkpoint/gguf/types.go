package gguf

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/mmrun/mmrun/quant"
)

// dtype is a type of tensors by its number in the format.
type dtype uint32

const (
	typeF32  dtype = 0
	typeF16  dtype = 1
	typeBF16 dtype = 30
)

// layout is how many weights of a type are in how many bytes.
type layout struct {
	name           string
	weights, bytes int
	format         *quant.Format // nil when no weights are read of it
}

// layouts are the types there are.
var layouts = func() map[dtype]layout {
	all := map[dtype]layout{
		9: {name: "Q8_1", weights: 32, bytes: 36}, 15: {name: "Q8_K", weights: 256, bytes: 292},
		16: {name: "IQ2_XXS", weights: 256, bytes: 66}, 17: {name: "IQ2_XS", weights: 256, bytes: 74},
		18: {name: "IQ3_XXS", weights: 256, bytes: 98}, 19: {name: "IQ1_S", weights: 256, bytes: 50},
		21: {name: "IQ3_S", weights: 256, bytes: 110}, 22: {name: "IQ2_S", weights: 256, bytes: 82},
		29: {name: "IQ1_M", weights: 256, bytes: 56}, 34: {name: "TQ1_0", weights: 256, bytes: 54},
		35: {name: "TQ2_0", weights: 256, bytes: 66}, 39: {name: "MXFP4", weights: 32, bytes: 17},
		40: {name: "NVFP4", weights: 64, bytes: 36}, 41: {name: "Q1_0", weights: 128, bytes: 18},
		24: {name: "I8", weights: 1, bytes: 1}, 25: {name: "I16", weights: 1, bytes: 2}, 26: {name: "I32", weights: 1, bytes: 4},
		27: {name: "I64", weights: 1, bytes: 8}, 28: {name: "F64", weights: 1, bytes: 8},
	}
	for t, f := range map[dtype]*quant.Format{
		typeF32: quant.F32, typeF16: quant.F16, typeBF16: quant.BF16, 8: quant.Q8_0,
		2: quant.Q4_0, 3: quant.Q4_1, 6: quant.Q5_0, 7: quant.Q5_1,
		10: quant.Q2_K, 11: quant.Q3_K, 12: quant.Q4_K, 13: quant.Q5_K, 14: quant.Q6_K,
		20: quant.IQ4_NL, 23: quant.IQ4_XS,
	} {
		all[t] = layout{strings.ToUpper(f.Name), f.Weights, f.Bytes, f}
	}
	return all
}()

// gone are the types that were taken out of the format.
var gone = map[dtype]string{4: "Q4_2", 5: "Q4_3", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8",
	36: "IQ4_NL_4_4", 37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8"}

// lookUp finds the layout of a type; the error says why there is none.
func (t dtype) lookUp() (layout, error) {
	if l, ok := layouts[t]; ok {
		return l, nil
	}
	if name, ok := gone[t]; ok {
		return layout{}, fmt.Errorf("type %s (%d) was taken out of the format; make the file anew from the model it came from", name, t)
	}
	return layout{}, fmt.Errorf("type %d is not known (%s are)", t, readable())
}

// readable names the types that weights are read of.
func readable() string {
	var names []string
	for _, l := range layouts {
		if l.format != nil {
			names = append(names, l.name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// size is how many bytes the numbers of a tensor take, whose dimensions have the fastest first.
func (l layout) size(dims []int) (int, error) {
	row := 1
	if len(dims) > 0 {
		row = dims[0]
	}
	if row%l.weights != 0 {
		return 0, fmt.Errorf("rows of %d numbers are no whole blocks of %d, which %s has", row, l.weights, l.name)
	}
	count := uint64(1)
	for _, n := range dims {
		if n == 0 {
			return 0, nil
		}
		high, low := bits.Mul64(count, uint64(n))
		if high != 0 || low > maxInt {
			return 0, fmt.Errorf("dimensions %v overflow", dims)
		}
		count = low
	}
	high, low := bits.Mul64(count/uint64(l.weights), uint64(l.bytes))
	if high != 0 || low > maxInt {
		return 0, fmt.Errorf("dimensions %v of %s overflow", dims, l.name)
	}
	return int(low), nil
}
