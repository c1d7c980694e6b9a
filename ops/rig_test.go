package ops

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/vk"
)

var device *vk.Device

func TestMain(m *testing.M) {
	var err error
	if device, err = vk.Open(vk.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, "no Vulkan device for the tests:", err)
		os.Exit(1)
	}
	if device.Info().Takes(vk.CoopMatPath) {
		accesses = append(accesses, graph.CoopMat)
	}
	code := m.Run()
	if err := device.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// A rig runs a graph of one op: numbers in, numbers out, guard words behind every buffer.
type rig struct {
	t     testing.TB
	g     *graph.Graph
	slots map[string]vk.Span
	rng   *rand.Rand
}

const guardWords, guardWord = 64, 0x7fc0dead // a NaN

// newRig is for tokens of each of some sequences, whose rows of the state follow one another.
func newRig(t testing.TB, access graph.Access, tokens, sequences, row, position int) *rig {
	rows, positions := make([]int, sequences), make([]int, sequences)
	for b := range rows {
		rows[b], positions[b] = row+b, position
	}
	return newRigOf(t, access, tokens, rows, positions)
}

// newRigOf is for tokens of each of the sequences that have rows of the state, at positions.
func newRigOf(t testing.TB, access graph.Access, tokens int, rows, positions []int) *rig {
	r := &rig{t: t, g: graph.NewAccess(device, access), slots: map[string]vk.Span{}, rng: rand.New(rand.NewPCG(1, 2))}
	r.params(tokens, rows, positions)
	return r
}

// params says what a pass is of.
func (r *rig) params(tokens int, rows, positions []int) {
	words := make([]uint32, ParamsBytes/4)
	words[0], words[1] = uint32(tokens), uint32(len(rows))
	for b := range rows {
		words[4+b], words[4+MaxSequences+b] = uint32(positions[b]), uint32(rows[b])
	}
	r.words(ParamsSlot, words)
}

func (r *rig) buffer(bytes int64) *vk.Buffer {
	r.t.Helper()
	b, err := device.NewBuffer(bytes, vk.DeviceLocal)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(b.Close)
	return b
}

func (r *rig) words(name string, words []uint32) {
	r.t.Helper()
	b := r.buffer(4 * int64(len(words)+guardWords))
	err := device.Upload(b.Whole(), 4, func(p []byte, at int64) error {
		for i := 0; i < len(p); i += 4 {
			word := uint32(guardWord)
			if j := (int(at) + i) / 4; j < len(words) {
				word = words[j]
			}
			binary.LittleEndian.PutUint32(p[i:], word)
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.slots[name] = b.Span(0, 4*int64(len(words)))
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

// view is a slot that holds numbers in its middle columns, and what no kernel may read on both sides.
func (r *rig) view(name string, rows, cols int, numbers []float32) graph.Value {
	const margin = 8
	width := cols + 2*margin
	words := slices.Repeat([]uint32{guardWord}, rows*width)
	for i := range rows {
		copy(words[i*width+margin:], bits(numbers[i*cols:(i+1)*cols]))
	}
	r.words(name, words)
	return r.g.Columns(r.g.Slot(name, 0, rows, width), margin, margin+cols)
}

// input is a view when asked for, a value otherwise.
func (r *rig) input(view bool, name string, rows, cols int, numbers []float32) graph.Value {
	if view {
		return r.view(name, rows, cols, numbers)
	}
	return r.value(name, rows, cols, numbers)
}

// matrix is a weight of a type in panels, and the numbers it then holds.
func (r *rig) matrix(t Type, rows, cols int, numbers []float32) (Weight, []float32) {
	r.t.Helper()
	of, kept := rowsOf(r.t, t, cols, numbers)
	panels := make([]byte, (rows+PanelRows-1)/PanelRows*t.PanelBytes(cols))
	for i, panel := range slices.Collect(slices.Chunk(panels, t.PanelBytes(cols))) {
		t.Pack(panel, of[i*PanelRows:min((i+1)*PanelRows, rows)])
	}
	return Weight{Type: t, Rows: Padded(rows), Cols: cols, Panels: true, Span: r.bytes(panels)}, kept
}

// rowsOf are numbers as rows of a type, and what they then stand for.
func rowsOf(t testing.TB, of Type, cols int, numbers []float32) (rows [][]byte, kept []float32) {
	t.Helper()
	for row := range slices.Chunk(numbers, cols) {
		data, stands := make([]byte, of.RowBytes(cols)), make([]float32, cols)
		if err := errors.Join(of.Quantize(data, row), of.Dequantize(stands, data)); err != nil {
			t.Fatal(err)
		}
		rows, kept = append(rows, data), append(kept, stands...)
	}
	return rows, kept
}

// table is an F32 weight, row after row.
func (r *rig) table(rows, cols int, numbers []float32) Weight {
	r.t.Helper()
	data := make([]byte, 4*len(numbers))
	if err := F32.Quantize(data, numbers); err != nil {
		r.t.Fatal(err)
	}
	return Weight{Type: F32, Rows: rows, Cols: cols, Span: r.bytes(data)}
}

func (r *rig) bytes(data []byte) vk.Span {
	b := r.buffer(int64(len(data)))
	if err := device.Upload(b.Whole(), 4, func(p []byte, at int64) error { copy(p, data[at:]); return nil }); err != nil {
		r.t.Fatal(err)
	}
	return b.Whole()
}

func (r *rig) vector(numbers []float32) Weight {
	return r.table(1, len(numbers), numbers)
}

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
	r.t.Helper()
	if !y.Zero() {
		r.value("result", y.Rows, y.Cols, make([]float32, y.Rows*y.Cols))
		r.g.Copy(r.g.Slot("result", 0, y.Rows, y.Cols), y)
	}
	p, err := r.g.Plan()
	if err != nil {
		r.t.Fatal(err)
	}
	arena := r.buffer(max(p.Arena(), 256))
	recording, err := p.Record(graph.Spans{Arena: arena.Whole(), Slots: r.slots})
	if err == nil {
		defer recording.Close()
		err = recording.Run()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	for name := range r.slots {
		r.read(name)
	}
	if y.Zero() {
		return nil
	}
	return r.read("result")
}

// read returns what a slot holds, and fails when its guard words were touched.
func (r *rig) read(name string) []float32 {
	r.t.Helper()
	b := r.slots[name].Buffer
	data := make([]byte, b.Size())
	if err := device.Download(data, b.Whole()); err != nil {
		r.t.Fatal(err)
	}
	numbers := make([]float32, len(data)/4)
	for i := range numbers {
		numbers[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	n := len(numbers) - guardWords
	for i, v := range numbers[n:] {
		if math.Float32bits(v) != guardWord {
			r.t.Fatalf("%s: guard word %d behind it was overwritten", name, i)
		}
	}
	return numbers[:n]
}

// near compares with |got-want| ≤ 1e-5 + 1e-4 |want|.
func near(t testing.TB, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= 1e-5+1e-4*math.Abs(float64(want[i]))) {
			t.Fatalf("%s: number %d is %g, want %g", what, i, got[i], want[i])
		}
	}
}

var (
	accesses = []graph.Access{graph.Texel, graph.Buffer, graph.Subgroup} // and CoopMat on devices that have it
	types    = []Type{F32, F16, BF16}
	matrices = append(types[:3:3], Q8, Q4K, Q6K) // which are of matrices alone from Q8 on
	lengths  = []int{1, 2, 63, 64, 65, 257}

	// sequenceRows are the rows of the state that the sequences of a batch have.
	sequenceRows = [][]int{{0}, {3}, {2, 0, 5}, {7, 6, 5, 4, 3, 2, 1, 0, 9}, all(MaxSequences)}
)

// some says whether a kernel runs with the i-th sizes and matrices of a type: every third of those in blocks of 256,
// whose kernels compile slowly and differ from the others in how they read a matrix alone.
func some(kind Type, i int) bool { return kind.Weights <= 32 || i%3 == 0 }

func all(n int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = n - 1 - i
	}
	return rows
}

// sweep runs f for both accesses and all lengths.
func sweep(t *testing.T, f func(t *testing.T, access graph.Access, T int)) {
	for _, access := range accesses {
		for _, T := range lengths {
			t.Run(fmt.Sprintf("%s/T=%d", access, T), func(t *testing.T) { f(t, access, T) })
		}
	}
}

// benchmark replays what build adds to the graph of a pass of T tokens and reports what it moves and
// computes.
func benchmark(b *testing.B, name string, T int, build func(r *rig)) {
	b.Run(name, func(b *testing.B) {
		r := newRig(b, graph.New(device).Access(), T, 1, 0, 0)
		build(r)
		p, err := r.g.Plan()
		if err != nil {
			b.Fatal(err)
		}
		recording, err := p.Record(graph.Spans{Arena: r.buffer(max(p.Arena(), 256)).Whole(), Slots: r.slots})
		if err != nil {
			b.Fatal(err)
		}
		defer recording.Close()
		for b.Loop() {
			if err := recording.Run(); err != nil {
				b.Fatal(err)
			}
		}
		each := b.Elapsed().Seconds() / float64(b.N)
		b.ReportMetric(float64(p.Cost().Bytes)/each/1e9, "GB/s")
		if flops := p.Cost().Flops; flops > 0 {
			b.ReportMetric(float64(flops)/each/1e9, "GFLOP/s")
		}
	})
}

// mode names a pass of T tokens in benchmarks.
func mode(T int) string {
	if T == 1 {
		return "mode=decode"
	}
	return fmt.Sprintf("mode=prefill/T=%d", T)
}
