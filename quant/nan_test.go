package quant

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"
)

// TestNaN: every half and every bfloat16, and float32 around what is none, at every place of a row.
func TestNaN(t *testing.T) {
	check := func(f *Format, bits uint32, float float64) {
		for _, place := range []int{0, 7, 20, 33} {
			row := make([]byte, 35*f.Bytes)
			if f.Bytes == 2 {
				binary.LittleEndian.PutUint16(row[2*place:], uint16(bits))
			} else {
				binary.LittleEndian.PutUint32(row[4*place:], bits)
			}
			want := ""
			if math.IsNaN(float) {
				want = fmt.Sprintf("column %d is NaN", place)
			}
			if err := f.Check(row); want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
				t.Errorf("%s %#x: %v, want %q", f, bits, err, want)
			}
		}
	}
	for bits := range uint32(1 << 16) {
		check(F16, bits, float64(F16ToFloat32(uint16(bits))))
		check(BF16, bits, float64(BF16ToFloat32(uint16(bits))))
		for _, low := range []uint32{0, 1, 0xffff} {
			check(F32, bits<<16|low, float64(math.Float32frombits(bits<<16|low)))
		}
	}
}

func BenchmarkNaN(b *testing.B) {
	row := make([]byte, 1<<20)
	for b.Loop() {
		if err := F16.Check(row); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(row)))
}
