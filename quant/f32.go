package quant

import (
	"encoding/binary"
	"math"
)

// F32 is numbers of 32 bits.
var F32 = register(&Format{
	Name: "f32", Shader: "f32", Weights: 1, Bytes: 4, check: laneF32.noNaN,
	pack: func(data []byte, row []float32) int {
		for i, x := range row {
			binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(x))
		}
		return -1
	},
	unpack: func(row []float32, data []byte) {
		for i := range row {
			row[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
	},
	panel: floatPanel(4),
})
