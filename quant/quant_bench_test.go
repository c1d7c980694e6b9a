package quant

import (
	"math/rand/v2"
	"testing"
)

func BenchmarkQuantize(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	row := make([]float32, 4096)
	for i := range row {
		row[i] = float32(rng.NormFloat64())
	}
	for _, f := range Targets() {
		b.Run("type="+f.Name, func(b *testing.B) {
			data := make([]byte, f.RowBytes(len(row)))
			b.SetBytes(int64(4 * len(row)))
			for b.Loop() {
				if err := f.Quantize(data, row); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
