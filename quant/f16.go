package quant

import (
	"encoding/binary"
	"math"
)

// F16 is IEEE 754 halves.
var F16 = register(&Format{
	Name: "f16", Shader: "half", Weights: 1, Bytes: 2, check: laneF16.noNaN,
	pack: func(data []byte, row []float32) int {
		for i, x := range row {
			h := Float32ToF16(x)
			if h&0x7fff == 0x7c00 && !math.IsInf(float64(x), 0) {
				return i
			}
			binary.LittleEndian.PutUint16(data[2*i:], h)
		}
		return -1
	},
	unpack: func(row []float32, data []byte) {
		for i := range row {
			row[i] = F16ToFloat32(binary.LittleEndian.Uint16(data[2*i:]))
		}
	},
	panel: floatPanel(2),
})
