package quant

import (
	"encoding/binary"
	"math"
)

// BF16 is the upper halves of numbers of 32 bits.
var BF16 = register(&Format{
	Name: "bf16", Shader: "half", ShaderKind: 1, Weights: 1, Bytes: 2, check: laneBF16.noNaN,
	pack: func(data []byte, row []float32) int {
		for i, x := range row {
			h := Float32ToBF16(x)
			if h&0x7fff == 0x7f80 && !math.IsInf(float64(x), 0) {
				return i
			}
			binary.LittleEndian.PutUint16(data[2*i:], h)
		}
		return -1
	},
	unpack: func(row []float32, data []byte) {
		for i := range row {
			row[i] = BF16ToFloat32(binary.LittleEndian.Uint16(data[2*i:]))
		}
	},
	panel: floatPanel(2),
})
