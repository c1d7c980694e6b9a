package quant

import (
	"math"
	"testing"
)

// f16Value is the definition of the format, in float64.
func f16Value(h uint16) float64 {
	exp, man := int(h>>10&0x1f), float64(h&0x3ff)
	var v float64
	switch {
	case exp == 0x1f && man == 0:
		v = math.Inf(1)
	case exp == 0x1f:
		return math.NaN()
	case exp == 0:
		v = math.Ldexp(man, -24)
	default:
		v = math.Ldexp(1024+man, exp-25)
	}
	if h>>15 == 1 {
		v = -v
	}
	return v
}

func TestF16EveryValue(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		got, want := F16ToFloat32(h), f16Value(h)
		if math.IsNaN(want) {
			if back := Float32ToF16(got); got == got || back != h|0x200 {
				t.Fatalf("%#04x: NaN became %v and then %#04x", h, got, back)
			}
			continue
		}
		if float64(got) != want || math.Signbit(float64(got)) != math.Signbit(want) {
			t.Fatalf("%#04x: got %v, want %v", h, got, want)
		}
		if back := Float32ToF16(got); back != h {
			t.Fatalf("%#04x: %v narrows to %#04x", h, got, back)
		}
	}
}

// TestF16Rounding looks between every two neighbours: below, at and above the middle.
func TestF16Rounding(t *testing.T) {
	for h := uint16(0); h < 0x7c00; h++ {
		low, high := f16Value(h), f16Value(h+1)
		if h+1 == 0x7c00 {
			high = 65536 // where the next value would be
		}
		middle, even := float32((low+high)/2), h+h&1
		checkRounding(t, Float32ToF16, middle, h, even)
	}
}

func TestBF16EveryValue(t *testing.T) {
	for i := range 1 << 16 {
		b := uint16(i)
		f := BF16ToFloat32(b)
		if math.Float32bits(f) != uint32(b)<<16 {
			t.Fatalf("%#04x: got bits %#08x", b, math.Float32bits(f))
		}
		want := b
		if f != f {
			want |= 0x40
		}
		if back := Float32ToBF16(f); back != want {
			t.Fatalf("%#04x: %v narrows to %#04x, want %#04x", b, f, back, want)
		}
	}
}

func TestBF16Rounding(t *testing.T) {
	for b := uint16(0); b < 0x7f80; b++ {
		middle := math.Float32frombits(uint32(b)<<16 | 0x8000)
		checkRounding(t, Float32ToBF16, middle, b, b+b&1)
	}
}

// checkRounding narrows the float32 below, at and above the middle of low and low+1, and their
// negatives.
func checkRounding(t *testing.T, narrow func(float32) uint16, middle float32, low, even uint16) {
	t.Helper()
	bits := math.Float32bits(middle)
	for _, c := range []struct{ bits, want uint32 }{
		{bits - 1, uint32(low)}, {bits, uint32(even)}, {bits + 1, uint32(low + 1)},
	} {
		f := math.Float32frombits(c.bits)
		if got := narrow(f); got != uint16(c.want) {
			t.Fatalf("%g (%#08x): got %#04x, want %#04x", f, c.bits, got, c.want)
		}
		if got := narrow(-f); got != uint16(c.want)|0x8000 {
			t.Fatalf("%g: got %#04x, want %#04x", -f, got, c.want|0x8000)
		}
	}
}

func TestNarrowExtremes(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		in        float32
		f16, bf16 uint16
	}{
		{0, 0, 0}, {1, 0x3c00, 0x3f80}, {inf, 0x7c00, 0x7f80}, {-inf, 0xfc00, 0xff80},
		{math.MaxFloat32, 0x7c00, 0x7f80}, {math.SmallestNonzeroFloat32, 0, 0},
		{65504, 0x7bff, 0x4780}, {0x1p-24, 1, 0x3380},
	} {
		if got := Float32ToF16(c.in); got != c.f16 {
			t.Errorf("F16 of %g: got %#04x, want %#04x", c.in, got, c.f16)
		}
		if got := Float32ToBF16(c.in); got != c.bf16 {
			t.Errorf("BF16 of %g: got %#04x, want %#04x", c.in, got, c.bf16)
		}
	}
}
