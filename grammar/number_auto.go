package grammar

import (
	"math/big"
	"strings"
)

// decimal is a bound of a number's size: its digits before and after the point.
type decimal struct {
	whole, part string // whole without zeros in front, empty below 1; part without zeros at the end
	out         bool   // the bound itself is out
	none        bool   // there is no bound
}

// decimalOf is the size of a number, which has an end in decimals.
func decimalOf(x *big.Rat, out bool) decimal {
	digits := new(big.Rat).Abs(x).FloatString(mostExponent + mostDigits)
	whole, part, _ := strings.Cut(digits, ".")
	return decimal{whole: strings.TrimLeft(whole, "0"), part: strings.TrimRight(part, "0"), out: out}
}

// side is the numbers of one sign: how far from 0 they are, at least and at the most.
type side struct {
	least, most decimal
	possible    bool
}

// sides are the numbers below 0 and those of 0 and more.
func (n *numberSpec) sides() (below, above side) {
	zero := new(big.Rat)
	side := func(lo, hi *big.Rat, loOut, hiOut bool) side {
		s := side{least: decimal{}, most: decimal{none: true}, possible: true}
		if hi != nil {
			s.most = decimalOf(hi, hiOut)
			s.possible = hi.Sign() > 0 || hi.Sign() == 0 && !hiOut
		}
		if lo != nil && lo.Cmp(zero) >= 0 {
			s.least = decimalOf(lo, loOut)
		}
		return s
	}
	negate := func(x *big.Rat) *big.Rat {
		if x == nil {
			return nil
		}
		return new(big.Rat).Neg(x)
	}
	above = side(n.lo, n.hi, n.loOut, n.hiOut)
	below = side(negate(n.hi), negate(n.lo), n.hiOut, n.loOut)
	below.possible = below.possible && (n.lo == nil || n.lo.Sign() < 0)
	return below, above
}

// numeral is how far a number is written.
type numeral struct {
	begun, negative bool
	zero            bool // the digit before the point is a 0
	digits          int  // before the point
	least, most     int8 // how what is there compares with as many digits of the bound: -1, 0 or 1
	point           bool
	places          int   // after the point
	rest            int64 // of all digits as a whole number, by the modulus
}

// modulus of numbers that are multiples: with places digits after the point the number is a multiple where the
// digits, followed by zeros up to places, are one of mod.
type modulus struct {
	places int
	mod    int64
}

// modulus is that of the numbers; false where it is too large.
func (n *numberSpec) modulus() (modulus, bool) {
	if n.multiple == nil {
		return modulus{places: pointDigits, mod: 1}, true
	}
	scaled := new(big.Rat).Set(n.multiple)
	ten := big.NewRat(10, 1)
	for places := range pointDigits + 1 {
		if scaled.IsInt() {
			return modulus{places, scaled.Num().Int64()}, scaled.Num().IsInt64() && scaled.Num().Cmp(big.NewInt(mostDFA)) <= 0
		}
		scaled.Mul(scaled, ten)
	}
	return modulus{}, false
}

// automaton is that of the numbers in decimals, without an exponent.
func (n *numberSpec) automaton() (*dfa, error) {
	mod, ok := n.modulus()
	if !ok {
		return nil, ErrTooLarge
	}
	if n.multiple == nil && n.whole {
		mod.places = 0
	}
	w := &numerals{spec: n, mod: mod}
	w.below, w.above = n.sides()
	return explore(numeral{}, w.final, w.steps)
}

// numerals write numbers.
type numerals struct {
	spec         *numberSpec
	mod          modulus
	below, above side
}

func (w *numerals) side(s numeral) *side {
	if s.negative {
		return &w.below
	}
	return &w.above
}

// longest is how many digits a number may have before the point.
func (w *numerals) longest(s *side) int {
	n := wholeDigits
	if need := len(s.least.whole) + 1; need > n {
		n = need
	}
	if !s.most.none {
		n = min(n, max(len(s.most.whole), 1))
	}
	return n
}

// places is how many digits a number may have after the point.
func (w *numerals) places() int {
	if w.spec.whole {
		return 0
	}
	return w.mod.places
}

func (w *numerals) steps(s numeral, add func(runeRange, numeral)) {
	if !s.begun && !s.negative {
		next := s
		next.negative = true
		add(runeRange{'-', '-'}, next)
	}
	if s.begun && !s.point && w.places() > 0 {
		next := s
		next.point = true
		next.least, next.most = w.settled(s)
		next.digits = 0
		add(runeRange{'.', '.'}, next)
	}
	side := w.side(s)
	if s.zero && !s.point || !s.point && s.digits >= w.longest(side) || s.point && s.places >= w.places() || !side.possible {
		return
	}
	for d := '0'; d <= '9'; d++ {
		add(runeRange{d, d}, w.digit(s, byte(d)))
	}
}

// digit is how far a number is written with another digit.
func (w *numerals) digit(s numeral, d byte) numeral {
	side := w.side(s)
	if !s.point {
		s.zero = !s.begun && d == '0'
		s.begun = true
		if !s.zero {
			s.least, s.most = side.compare(s, side.least.whole, side.most.whole, s.digits, d)
			s.digits++
		}
	} else {
		s.least, s.most = side.compare(s, side.least.part, side.most.part, s.places, d)
		s.places++
	}
	s.rest = (s.rest*10 + int64(d-'0')) % w.mod.mod
	return s
}

// compare compares a digit with those of the bounds.
func (b *side) compare(s numeral, least, most string, at int, d byte) (int8, int8) {
	s.least = compareDigit(s.least, least, at, d)
	if !b.most.none {
		s.most = compareDigit(s.most, most, at, d)
	}
	return s.least, s.most
}

// compareDigit goes on with a comparison of digits from the first on.
func compareDigit(so int8, bound string, at int, d byte) int8 {
	if so != 0 {
		return so
	}
	b := byte('0')
	if at < len(bound) {
		b = bound[at]
	}
	switch {
	case d < b:
		return -1
	case d > b:
		return 1
	}
	return 0
}

// settled is how all digits before the point compare with those of the bounds: the longer number is the larger one.
func (w *numerals) settled(s numeral) (least, most int8) {
	settle := func(so int8, b decimal) int8 {
		switch {
		case b.none:
			return 0
		case s.digits < len(b.whole):
			return -1
		case s.digits > len(b.whole):
			return 1
		}
		return so
	}
	side := w.side(s)
	return settle(s.least, side.least), settle(s.most, side.most)
}

// final says whether the number may end.
func (w *numerals) final(s numeral) bool {
	side := w.side(s)
	if !s.begun || !side.possible || s.point && s.places == 0 || s.negative && s.zero && !s.point {
		return false
	}
	least, most := s.least, s.most
	if !s.point {
		least, most = w.settled(s)
	}
	ended := func(so int8, b decimal) int8 {
		if so == 0 && s.places < len(b.part) { // the bound goes on with more than zeros
			return -1
		}
		return so
	}
	least, most = ended(least, side.least), ended(most, side.most)
	if least < 0 || least == 0 && side.least.out || !side.most.none && (most > 0 || most == 0 && side.most.out) {
		return false
	}
	rest := s.rest
	for range w.mod.places - s.places {
		rest = rest * 10 % w.mod.mod
	}
	return rest == 0
}
