package check

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops"
	"github.com/mmrun/mmrun/vk"
)

// A rig runs graphs of one op or some: numbers in, numbers out, guard words behind every buffer. The first error of a
// graph is kept, and what is asked for after it is empty.
type rig struct {
	device  *vk.Device
	timed   bool
	known   func(kernel string) bool // whether there is no need to run it
	settled func(graphRun)           // told of every graph
	rng     *rand.Rand
	g       *graph.Graph
	slots   map[string]vk.Span
	buffers []*vk.Buffer
	again   *graph.Recording // of the graph that ran
	graphRun
}

// A graphRun is what became of a graph.
type graphRun struct {
	kernels []graph.OpTime // that it has, with their times
	worst   float64        // the largest difference from a reference
	err     error
}

// errKnown: every kernel of the graph is known already.
var errKnown = errors.New("nothing new")

const guardWords, guardWord = 64, 0x7fc0dead // a NaN

// begin starts another graph of the rig: of the given number of tokens of a sequence at a position.
func (r *rig) begin(access graph.Access, tokens, sequences, position int) {
	r.settle()
	r.g, r.slots = graph.NewAccess(r.device, access), map[string]vk.Span{}
	words := make([]uint32, ops.ParamsBytes/4)
	words[0], words[1] = uint32(tokens), uint32(sequences)
	for b := range sequences {
		words[4+b], words[4+ops.MaxSequences+b] = uint32(position), uint32(b)
	}
	r.words(ops.ParamsSlot, words)
}

// settle ends the graph that was begun, if any, and gives its memory back.
func (r *rig) settle() {
	if r.again != nil {
		if r.err == nil && r.timed {
			r.err = r.time()
		}
		r.again.Close()
	}
	if r.g != nil && r.err != errKnown {
		r.settled(r.graphRun)
	}
	for _, b := range r.buffers {
		b.Close()
	}
	r.g, r.buffers, r.again, r.graphRun = nil, nil, nil, graphRun{}
}

func (r *rig) fail(err error) { r.err = errors.Join(r.err, err) }

// put makes a buffer of data, and nothing after an error.
func (r *rig) put(data []byte) vk.Span {
	if r.err != nil {
		return vk.Span{}
	}
	b, err := r.device.NewBuffer(int64(len(data)), vk.DeviceLocal)
	if err != nil {
		r.fail(err)
		return vk.Span{}
	}
	r.buffers = append(r.buffers, b)
	if err := r.device.Upload(b.Whole(), 4, func(p []byte, at int64) error { copy(p, data[at:]); return nil }); err != nil {
		r.fail(err)
	}
	return b.Whole()
}

func (r *rig) words(name string, words []uint32) {
	data := make([]byte, 0, 4*(len(words)+guardWords))
	for _, word := range words {
		data = binary.LittleEndian.AppendUint32(data, word)
	}
	for range guardWords {
		data = binary.LittleEndian.AppendUint32(data, guardWord)
	}
	span := r.put(data)
	span.Size = 4 * int64(len(words))
	r.slots[name] = span
}

func bits(numbers []float32) []uint32 {
	words := make([]uint32, len(numbers))
	for i, v := range numbers {
		words[i] = math.Float32bits(v)
	}
	return words
}

// value is a slot that holds numbers.
func (r *rig) value(name string, rows, cols int, numbers []float32) graph.Value {
	r.words(name, bits(numbers))
	return r.g.Slot(name, 0, rows, cols)
}

// matrix is a random weight of a type in panels, and the numbers it holds.
func (r *rig) matrix(t ops.Type, rows, cols int, scale float64) (ops.Weight, []float32) {
	var of [][]byte
	var kept []float32
	for row := range slices.Chunk(r.random(rows*cols, scale), cols) {
		data, stands := make([]byte, t.RowBytes(cols)), make([]float32, cols)
		if err := errors.Join(t.Quantize(data, row), t.Dequantize(stands, data)); err != nil {
			r.fail(err)
		}
		of, kept = append(of, data), append(kept, stands...)
	}
	panels := make([]byte, rows/ops.PanelRows*t.PanelBytes(cols))
	for i := range rows / ops.PanelRows {
		t.Pack(panels[i*t.PanelBytes(cols):(i+1)*t.PanelBytes(cols)], of[i*ops.PanelRows:(i+1)*ops.PanelRows])
	}
	return ops.Weight{Type: t, Rows: rows, Cols: cols, Panels: true, Span: r.put(panels)}, kept
}

// table is an F32 weight, row after row.
func (r *rig) table(rows, cols int, numbers []float32) ops.Weight {
	data := make([]byte, 4*len(numbers))
	if err := ops.F32.Quantize(data, numbers); err != nil {
		r.fail(err)
	}
	return ops.Weight{Type: ops.F32, Rows: rows, Cols: cols, Span: r.put(data)}
}

func (r *rig) vector(numbers []float32) ops.Weight { return r.table(1, len(numbers), numbers) }

// random returns numbers between -scale and scale.
func (r *rig) random(n int, scale float64) []float32 {
	numbers := make([]float32, n)
	for i := range numbers {
		numbers[i] = float32((2*r.rng.Float64() - 1) * scale)
	}
	return numbers
}

// run runs the graph and checks the guard words; the result of an op comes back as numbers.
func (r *rig) run(y graph.Value) []float32 {
	if r.err != nil {
		return nil
	}
	if !y.Zero() {
		r.value("result", y.Rows, y.Cols, make([]float32, y.Rows*y.Cols))
		r.g.Copy(r.g.Slot("result", 0, y.Rows, y.Cols), y)
	}
	if r.err = r.execute(); r.err != nil {
		return nil
	}
	for name := range r.slots {
		r.read(name)
	}
	if y.Zero() {
		return nil
	}
	return r.read("result")
}

// execute runs the graph once for its results.
func (r *rig) execute() error {
	p, err := r.g.Plan()
	if err != nil {
		return err
	}
	for _, name := range p.Kernels() {
		r.kernels = append(r.kernels, graph.OpTime{Op: name, Calls: 1})
	}
	if !slices.ContainsFunc(r.kernels, func(k graph.OpTime) bool { return !r.known(k.Op) }) {
		return errKnown
	}
	arena, err := r.device.NewBuffer(max(p.Arena(), 256), vk.DeviceLocal)
	if err != nil {
		return err
	}
	r.buffers = append(r.buffers, arena)
	record := p.Record
	if r.timed {
		record = p.RecordTimed
	}
	if r.again, err = record(graph.Spans{Arena: arena.Whole(), Slots: r.slots}); err != nil {
		return err
	}
	return r.again.Run()
}

// time runs the graph some times more, now that all is compiled, and keeps the best time of every kernel. What it
// writes this time is not looked at.
func (r *rig) time() error {
	for i := range 3 {
		if err := r.again.Run(); err != nil {
			return err
		}
		kernels, err := r.again.At(0).Kernels()
		if err != nil {
			return err
		}
		for j, k := range kernels {
			if i > 0 {
				k.Time = min(k.Time, r.kernels[j].Time)
			}
			kernels[j] = k
		}
		r.kernels = kernels
	}
	return nil
}

// read returns what a slot holds, and keeps an error when its guard words were touched.
func (r *rig) read(name string) []float32 {
	span, ok := r.slots[name]
	if r.err != nil || !ok {
		return nil
	}
	data := make([]byte, span.Buffer.Size())
	if err := r.device.Download(data, span.Buffer.Whole()); err != nil {
		r.fail(err)
		return nil
	}
	numbers := make([]float32, len(data)/4)
	for i := range numbers {
		numbers[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	n := len(numbers) - guardWords
	for i, v := range numbers[n:] {
		if math.Float32bits(v) != guardWord {
			r.fail(fmt.Errorf("%s: word %d behind it was overwritten", name, i))
			break
		}
	}
	return numbers[:n]
}

// near compares with |got-want| ≤ 1e-5 + 1e-4 |want|.
func (r *rig) near(what string, got, want []float32) {
	if r.err != nil {
		return
	}
	if len(got) != len(want) {
		r.fail(fmt.Errorf("%s: %d numbers, want %d", what, len(got), len(want)))
		return
	}
	for i := range got {
		d := math.Abs(float64(got[i]) - float64(want[i]))
		if !(d <= 1e-5+1e-4*math.Abs(float64(want[i]))) {
			r.fail(fmt.Errorf("%s: number %d is %g, want %g", what, i, got[i], want[i]))
			return
		}
		r.worst = max(r.worst, d)
	}
}

// same compares exactly, by bits.
func (r *rig) same(what string, got, want []float32) {
	if r.err == nil && !slices.Equal(bits(got), bits(want)) {
		r.fail(fmt.Errorf("%s: numbers differ that should be equal", what))
	}
}

// columns returns columns [from, to) of x, whose rows have width numbers.
func columns(x []float32, width, from, to int) (out []float32) {
	for row := range slices.Chunk(x, width) {
		out = append(out, row[from:to]...)
	}
	return out
}

// transposed turns (rows, cols) into (cols, rows).
func transposed(x []float32, rows, cols int) []float32 {
	y := make([]float32, len(x))
	for i := range rows {
		for j := range cols {
			y[j*rows+i] = x[i*cols+j]
		}
	}
	return y
}

// identity is the matrix that changes nothing.
func identity(n int) []float32 {
	one := make([]float32, n*n)
	for i := range n {
		one[i*n+i] = 1
	}
	return one
}
