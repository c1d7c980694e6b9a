package grammar

import (
	"math/big"
	"strings"
)

// The digits of numbers that are written, before and after the point: few enough for a reader with 64 bits.
const (
	wholeDigits = 15
	pointDigits = 16
)

// numberOf is the numbers that meet all schemas.
func (m *maker) numberOf(flat []*value) (*expr, error) {
	n, err := numberSpecOf(flat)
	if err != nil {
		return nil, err
	}
	digit, first := runes(newSet(runeRange{'0', '9'})), runes(newSet(runeRange{'1', '9'}))
	switch {
	case n.bounded():
		d, err := n.automaton()
		if err != nil {
			return nil, wrapped(n.at.path()+": multipleOf, minimum or maximum", err)
		}
		return d.expr(plainly), nil
	case n.whole:
		return m.helper("integer", func() *expr {
			return alt(text("0"), seq(optional(text("-")), first, repeat(digit, 0, wholeDigits-1)))
		}), nil
	}
	return m.helper("number", func() *expr {
		return seq(optional(text("-")), alt(text("0"), seq(first, repeat(digit, 0, wholeDigits-1))),
			optional(seq(text("."), repeat(digit, 1, pointDigits))),
			optional(seq(runes(of("eE")), optional(runes(of("+-"))), repeat(digit, 1, 2))))
	}), nil
}

// numberSpec is what a number is held to.
type numberSpec struct {
	whole        bool
	lo, hi       *big.Rat // nil where there is no bound
	loOut, hiOut bool     // the bound itself is out
	multiple     *big.Rat // of which it is one
	at           *value
}

func (n *numberSpec) bounded() bool { return n.lo != nil || n.hi != nil || n.multiple != nil }

func numberSpecOf(flat []*value) (*numberSpec, error) {
	n := &numberSpec{}
	kinds := kindAny
	for _, schema := range flat {
		kinds &= schema.kinds()
		for i, keyword := range schema.keys {
			var err error
			var x *big.Rat
			switch keyword {
			case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
				n.at = schema
				if x, err = schema.items[i].number(); err != nil {
					return nil, wrapped(schema.path()+": "+keyword, err)
				}
			}
			out := strings.HasPrefix(keyword, "exclusive")
			switch keyword {
			case "minimum", "exclusiveMinimum":
				if n.lo == nil || x.Cmp(n.lo) > 0 || x.Cmp(n.lo) == 0 && out {
					n.lo, n.loOut = x, out
				}
			case "maximum", "exclusiveMaximum":
				if n.hi == nil || x.Cmp(n.hi) < 0 || x.Cmp(n.hi) == 0 && out {
					n.hi, n.hiOut = x, out
				}
			case "multipleOf":
				if n.multiple != nil {
					x = leastMultiple(n.multiple, x)
				}
				n.multiple = x
			}
		}
	}
	n.whole = kinds&kindNumber == kindInteger
	return n, nil
}

// leastMultiple is the least number above 0 that is a multiple of both.
func leastMultiple(a, b *big.Rat) *big.Rat {
	// With a common denominator it is that of the numerators.
	x := new(big.Int).Mul(a.Num(), b.Denom())
	y := new(big.Int).Mul(b.Num(), a.Denom())
	denom := new(big.Int).Mul(a.Denom(), b.Denom())
	gcd := new(big.Int).GCD(nil, nil, x, y)
	return new(big.Rat).SetFrac(x.Mul(x, y.Div(y, gcd)), denom)
}

// meets says whether a number is one of those.
func (n *numberSpec) meets(x *big.Rat) bool {
	switch {
	case n.whole && !x.IsInt(),
		n.lo != nil && (x.Cmp(n.lo) < 0 || n.loOut && x.Cmp(n.lo) == 0),
		n.hi != nil && (x.Cmp(n.hi) > 0 || n.hiOut && x.Cmp(n.hi) == 0):
		return false
	}
	return n.multiple == nil || new(big.Rat).Quo(x, n.multiple).IsInt()
}
