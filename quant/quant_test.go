package quant

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// block is a canonical block of Q8_0: a scale's bits and the weights, which zeros follow.
func block(scale uint16, weights ...int8) []byte {
	data := make([]byte, 34)
	binary.LittleEndian.PutUint16(data, scale)
	for i, w := range weights {
		data[2+i] = byte(w)
	}
	return data
}

var nan, inf = float32(math.NaN()), float32(math.Inf(1))

// long is a block and one number.
var long = slices.Concat([]float32{254}, make([]float32, 30), []float32{-254, 0.5})

// An example is a row and the bytes it becomes, by hand.
type example struct {
	row  []float32
	data []byte
}

// table is what formats are held to, each by its name.
var table = map[string]struct {
	format         *Format
	shader         string
	weights, bytes int
	examples       []example
	bad            map[string][]float32                     // rows that it cannot hold, by what the error says
	off            func(x float32, block []byte) float64    // by how much what x comes back as may be off
	damaged        map[string][]byte                        // rows that make no sense, by what the error says
	panelBytes     map[int]int                              // by columns
	lay            func(panel []byte, row int, data []byte) // one canonical row into a panel, plainly
}{
	"f32": {
		format: F32, shader: "f32", weights: 1, bytes: 4,
		examples:   []example{{[]float32{1, -2, inf, 1e-45}, []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0x80, 0x7f, 1, 0, 0, 0}}},
		off:        func(float32, []byte) float64 { return 0 },
		panelBytes: map[int]int{4: 1024, 32: 1024, 36: 2048, 64: 2048}, lay: layFloats,
	},
	"f16": {
		format: F16, shader: "half", weights: 1, bytes: 2,
		examples:   []example{{[]float32{1, -2, -inf, 65519, 1 + 0x1p-11, 0x1p-24}, []byte{0, 0x3c, 0, 0xc0, 0, 0xfc, 0xff, 0x7b, 0, 0x3c, 1, 0}}},
		bad:        map[string][]float32{"column 1 is 65520, which f16 cannot hold": {1, 65520}, "column 0 is -1e+06": {-1e6}},
		off:        func(x float32, _ []byte) float64 { return math.Abs(float64(x))*0x1p-11 + 0x1p-25 },
		panelBytes: map[int]int{4: 1024, 64: 1024, 68: 2048}, lay: layFloats,
	},
	"bf16": {
		format: BF16, shader: "half", weights: 1, bytes: 2,
		examples:   []example{{[]float32{1, -2, inf, 1 + 0x1p-8, 1 + 0x1p-7}, []byte{0x80, 0x3f, 0, 0xc0, 0x80, 0x7f, 0x80, 0x3f, 0x81, 0x3f}}},
		bad:        map[string][]float32{"column 0 is 3.4028235e+38, which bf16 cannot hold": {math.MaxFloat32}},
		off:        func(x float32, _ []byte) float64 { return math.Abs(float64(x)) * 0x1p-8 },
		panelBytes: map[int]int{4: 1024, 64: 1024, 68: 2048}, lay: layFloats,
	},
	"q8_0": {
		format: Q8_0, shader: "q8", weights: 32, bytes: 34,
		examples: []example{
			{[]float32{127, -127, 3, 0, -1}, block(0x3c00, 127, -127, 3, 0, -1)},
			{[]float32{127, 0.5, -0.5, 2.5, -2.5, 0.49999997}, block(0x3c00, 127, 1, -1, 3, -3, 0)}, // ties go away from zero
			{[]float32{0, 0}, block(0)},
			{[]float32{1e-9, -1e-9}, block(0)}, // too small for a scale
			{[]float32{1e-45}, block(0)},
			{long, slices.Concat(block(0x4000, append(append([]int8{127}, make([]int8, 30)...), -127)...), block(Float32ToF16(0.5/127), 127))},
			{[]float32{1, 0.49998}, block(Float32ToF16(1./127), 127, 63)}, // by the scale before it is rounded
		},
		bad: map[string][]float32{
			"column 0 begins 3 weights of magnitude NaN, which q8_0 cannot hold": {1, nan, 2},
			"of magnitude +Inf": {1, -inf}, "column 0 begins 2 weights of magnitude 9e+06": {9e6, 0},
			"column 32 begins 1 weights": append(make([]float32, 32), inf),
		},
		off: func(_ float32, block []byte) float64 {
			d := float64(F16ToFloat32(binary.LittleEndian.Uint16(block)))
			return 0.501*d + 127*max(d*0x1p-11, 0x1p-25) // and what rounding the scale adds
		},
		damaged:    map[string][]byte{"scale 1 of a row is NaN": append(block(0), block(0x7e00)...), "scale 0 of a row is -Inf": block(0xfc00)},
		panelBytes: map[int]int{4: 272, 32: 272, 36: 544, 64: 544},
		lay: func(panel []byte, row int, data []byte) {
			for b := range len(data) / 34 {
				at := b * 272
				panel[at+256+2*row], panel[at+256+2*row+1] = data[b*34], data[b*34+1]
				for i, w := range data[b*34+2 : (b+1)*34] {
					panel[at+(i/16*8+row)*16+i%16] = w
				}
			}
		},
	},
	"q4_k": {
		format: Q4_K, shader: "q4k", weights: 256, bytes: 144,
		examples: []example{
			{make([]float32, 256), make([]byte, 144)},
			{rising(0), slices.Concat([]byte{0x10, 0x24, 0, 0}, slices.Repeat([]byte{0xff}, 4), make([]byte, 4), slices.Repeat([]byte{0x0f}, 4), twice(128))},
		},
		bad: map[string][]float32{
			"column 0 begins 3 weights of magnitude NaN, which q4_k cannot hold": {1, nan, 2},
			"of magnitude +Inf": {1, -inf}, "column 0 begins 2 weights of magnitude 9e+07": {9e7, 0},
			"column 256 begins 1 weights": append(make([]float32, 256), inf),
		},
		off: func(_ float32, block []byte) float64 { // a step of the largest scale, and of the minima
			return 63*float64(halfAt(block, 0)) + float64(halfAt(block, 2)) + 16*63*0x1p-25
		},
		damaged:    map[string][]byte{"minimum 1 of a row is NaN": append(make([]byte, 146), append([]byte{0, 0x7e}, make([]byte, 140)...)...)},
		panelBytes: map[int]int{4: 1152, 256: 1152, 260: 2304},
		lay: func(panel []byte, row int, data []byte) {
			for b := range len(data) / 144 {
				block, head, to := data[b*144:(b+1)*144], panel[b*1152+1024+16*row:], panel[b*1152+16*row:]
				for i := range 128 { // of every 64 columns 32 bytes, the first 32 of them in the lower halves
					part, at := i/32*2, i%32
					to[part*128+at/2] |= block[16+i] & 15 << (at % 2 * 4)
					to[(part+1)*128+at/2] |= block[16+i] >> 4 << (at % 2 * 4)
				}
				scales, minima := six(block[4:16])
				var low, least, high, highest uint32
				for i := range 8 {
					low |= uint32(scales[i]&15) << (4 * i)
					least |= uint32(minima[i]&15) << (4 * i)
					high |= uint32(scales[i]>>4) << (2 * i)
					highest |= uint32(minima[i]>>4) << (2*i + 16)
				}
				copy(head, block[:4])
				for i, word := range []uint32{low, least, high | highest} {
					binary.LittleEndian.PutUint32(head[4+4*i:], word)
				}
			}
		},
	},
	"q6_k": {
		format: Q6_K, shader: "q6k", weights: 256, bytes: 210,
		examples: []example{
			{make([]float32, 256), make([]byte, 210)},
			{rising(-32), slices.Concat(twice(128), make([]byte, 64), slices.Repeat([]byte{0x80}, 16), []byte{0, 0xa0})},
		},
		bad: map[string][]float32{
			"column 0 begins 3 weights of magnitude NaN, which q6_k cannot hold": {1, nan, 2},
			"of magnitude +Inf": {1, -inf}, "column 0 begins 2 weights of magnitude 9e+08": {9e8, 0},
			"column 256 begins 1 weights": append(make([]float32, 256), inf),
		},
		off: func(_ float32, block []byte) float64 {
			return 1.5*128*math.Abs(float64(halfAt(block, 208))) + 32*128*0x1p-25
		},
		damaged:    map[string][]byte{"scale 0 of a row is -Inf": append(make([]byte, 208), 0, 0xfc)},
		panelBytes: map[int]int{4: 1680, 256: 1680, 260: 3360},
		lay: func(panel []byte, row int, data []byte) {
			for b := range len(data) / 210 {
				block, to := data[b*210:(b+1)*210], panel[b*1680:]
				for i := range 256 {
					q := (uint64(sixOf(block, i)) + 32) % 64 // as six bits with a sign
					word, at, bits := i%32/16*3+i%16/5, i%16%5*6, q
					for third := 0; third < 3; third++ {
						if i%16 == 15 {
							word, at, bits = i%32/16*3+third, 30, q>>(2*third)&3
						} else if third > 0 {
							break
						}
						from := (i/32*8+row)*16 + word*4
						if word >= 4 {
							from = 1024 + (i/64*8+row)*16 + i/32%2*8 + (word-4)*4
						}
						binary.LittleEndian.PutUint32(to[from:], binary.LittleEndian.Uint32(to[from:])|uint32(bits)<<at)
					}
				}
				copy(to[1536+16*row:], block[192:208])
				copy(to[1664+2*row:], block[208:210])
			}
		},
	},
}

// rising is a row of a block whose numbers rise by one in every 16, from the first.
func rising(first float32) []float32 {
	row := make([]float32, 256)
	for i := range row {
		row[i] = first + float32(i%16)
	}
	return row
}

// twice are 0 to 15 in both halves of the given number of bytes.
func twice(bytes int) []byte {
	data := make([]byte, bytes)
	for i := range data {
		data[i] = byte(i % 16 * 0x11)
	}
	return data
}

// layFloats lays a row of floats into a panel: blocks of 128 bytes of each of 8 rows, in units of 16.
func layFloats(panel []byte, row int, data []byte) {
	for i, b := range data {
		panel[i/128*1024+(i%128/16*8+row)*16+i%16] = b
	}
}

// TestFormats: the table above is of all there are, and they are what it says.
func TestFormats(t *testing.T) {
	all := All()
	if len(all) != len(table)+len(inFiles) {
		t.Errorf("%d formats, %d in the tables", len(all), len(table)+len(inFiles))
	}
	if !slices.IsSortedFunc(all, func(a, b *Format) int { return strings.Compare(a.Name, b.Name) }) {
		t.Errorf("formats %v", all)
	}
	for name, want := range table {
		f := Lookup(name)
		if f == nil || f != want.format || f.Name != name || f.String() != name || f.Shader != want.shader || f.Weights != want.weights || f.Bytes != want.bytes ||
			f.Quantized() != (want.weights > 1) || !slices.Contains(all, f) || f.ReadOnly() || f.OnDevice() != f || slices.Contains(Targets(), f) != f.Quantized() {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if Lookup("q9_9") != nil || Lookup("") != nil {
		t.Error("a format that there is not was found")
	}
}

// TestCanonical holds rows to bytes worked out by hand.
func TestCanonical(t *testing.T) {
	for name, want := range table {
		for _, one := range want.examples {
			data := slices.Repeat([]byte{0xaa}, want.format.RowBytes(len(one.row)))
			if err := want.format.Quantize(data, one.row); err != nil {
				t.Errorf("%s: %v: %v", name, one.row, err)
			}
			if !slices.Equal(data, one.data) {
				t.Errorf("%s: %v is % x, want % x", name, one.row, data, one.data)
			}
			if err := want.format.Check(data); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestRefuses: a number that a format cannot hold is not made another, and nothing of another size is taken.
func TestRefuses(t *testing.T) {
	for name, want := range table {
		f := want.format
		for says, row := range want.bad {
			if err := f.Quantize(make([]byte, f.RowBytes(len(row))), row); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v: %v, want one that says %s", name, row, err, says)
			}
		}
		for says, row := range want.damaged {
			if err := f.Check(row); err == nil || err.Error() != says {
				t.Errorf("%s: %v, want %s", name, err, says)
			}
		}
		row := make([]float32, 33)
		for _, size := range []int{0, f.RowBytes(33) - 1, f.RowBytes(33) + 1} {
			if f.Quantize(make([]byte, size), row) == nil || f.Dequantize(row, make([]byte, size)) == nil {
				t.Errorf("%s: %d bytes went for 33 weights", name, size)
			}
		}
		if f.Check(make([]byte, f.Bytes+1)) == nil {
			t.Errorf("%s: %d bytes went for blocks of %d", name, f.Bytes+1, f.Bytes)
		}
	}
}

// TestRoundTrip: what comes back is as near as the format allows.
func TestRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, want := range table {
		f := want.format
		for range 200 {
			row := randomRow(rng, 1+rng.IntN(100))
			data, back := make([]byte, f.RowBytes(len(row))), make([]float32, len(row))
			if err := f.Quantize(data, row); err != nil {
				t.Fatal(err)
			}
			if err := f.Dequantize(back, data); err != nil {
				t.Fatal(err)
			}
			for i, x := range row {
				block := data[i/f.Weights*f.Bytes:][:f.Bytes]
				if off := math.Abs(float64(back[i]) - float64(x)); off > want.off(x, block) {
					t.Fatalf("%s: %g came back as %g, from % x", name, x, back[i], block)
				}
			}
		}
	}
}

func randomRow(rng *rand.Rand, n int) []float32 {
	row, size := make([]float32, n), math.Exp2(float64(rng.IntN(24)-10))
	for i := range row {
		row[i] = float32(size * rng.NormFloat64())
	}
	return row
}

// TestPack holds panels to a plain layout, with rows that end early, are nil or missing.
func TestPack(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for name, want := range table {
		f := want.format
		for cols, size := range want.panelBytes {
			if got := f.PanelBytes(cols); got != size {
				t.Fatalf("%s: a panel of %d columns takes %d bytes, want %d", name, cols, got, size)
			}
			rows := make([][]byte, 1+rng.IntN(PanelRows))
			plain := make([]byte, size)
			for r := range rows {
				if r%3 == 1 {
					continue
				}
				row := randomRow(rng, 1+rng.IntN(cols))
				rows[r] = make([]byte, f.RowBytes(len(row)))
				if err := f.Quantize(rows[r], row); err != nil {
					t.Fatal(err)
				}
				want.lay(plain, r, rows[r])
			}
			panel := slices.Repeat([]byte{0xaa}, size)
			f.Pack(panel, rows)
			if !slices.Equal(panel, plain) {
				t.Errorf("%s: %d rows of at most %d columns lie as % x, want % x", name, len(rows), cols, panel, plain)
			}
		}
		if per := f.PanelUnits() * UnitBytes / f.Bytes; !f.Quantized() && f.PanelBlocks(per+1) != 2 || f.PanelBlocks(1) != 1 {
			t.Errorf("%s: %d blocks for %d columns, %d for one", name, f.PanelBlocks(per+1), per+1, f.PanelBlocks(1))
		}
	}
}
