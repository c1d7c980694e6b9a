package graph

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/mmrun/mmrun/vk"
)

var device *vk.Device

func TestMain(m *testing.M) {
	var err error
	if device, err = vk.Open(vk.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, "no Vulkan device for the tests:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := device.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// tester is a *testing.T, or a *rapid.T that draws for one.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// rows is how many rows every value of these tests has.
const rows = 3

// order is what shuffle does to them: row i is row order[i] of what it reads.
var order = [rows]uint32{2, 0, 1}

// shuffle adds the one kernel of these tests that runs: y's rows are x's in another order. It is the
// embedding lookup, whose result is exact.
func shuffle(g *Graph, y, x Value) {
	params, ids := g.Slot("params", 0, 1, 4), g.Slot("ids", 0, rows, 1)
	g.Call("shuffle", Kernel{Shader: "embed.f32"}, []Value{params, ids, x, y},
		Constants(x.Cols/4), [3]int{Groups(x.Cols/4, 64), rows, 1}, Cost{Bytes: 2 * y.Bytes(), Flops: 1})
}

// shuffled is what shuffle does, on the host.
func shuffled(x []float32) []float32 {
	cols, y := len(x)/rows, make([]float32, 0, len(x))
	for _, row := range order {
		y = append(y, x[int(row)*cols:][:cols]...)
	}
	return y
}

// counting returns n numbers from a first one on.
func counting(n, first int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(first + i)
	}
	return x
}

func newBuffer(t testing.TB, bytes int64) *vk.Buffer {
	t.Helper()
	b, err := device.NewBuffer(bytes, vk.DeviceLocal)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func store(t tester, span vk.Span, numbers []float32) {
	t.Helper()
	words := make([]uint32, len(numbers))
	for i, v := range numbers {
		words[i] = math.Float32bits(v)
	}
	storeWords(t, span, words)
}

func storeWords(t tester, span vk.Span, words []uint32) {
	t.Helper()
	var data []byte
	for _, w := range words {
		data = binary.LittleEndian.AppendUint32(data, w)
	}
	span.Size = int64(len(data))
	if err := device.Upload(span, 4, func(p []byte, at int64) error { copy(p, data[at:]); return nil }); err != nil {
		t.Fatal(err)
	}
}

func load(t tester, span vk.Span) []float32 {
	t.Helper()
	data := make([]byte, span.Size)
	if err := device.Download(data, span); err != nil {
		t.Fatal(err)
	}
	numbers := make([]float32, len(data)/4)
	for i := range numbers {
		numbers[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return numbers
}

// newSpans makes the memory of a program: the arena, what shuffle reads, and slots of some bytes.
func newSpans(t testing.TB, arena, bytes int64, slots ...string) Spans {
	t.Helper()
	s := Spans{Arena: newBuffer(t, max(arena, 256)).Whole(), Slots: map[string]vk.Span{}}
	for _, name := range slots {
		s.Slots[name] = newBuffer(t, bytes).Whole()
	}
	s.Slots["params"], s.Slots["ids"] = newBuffer(t, 16).Whole(), newBuffer(t, 4*rows).Whole()
	storeWords(t, s.Slots["params"], []uint32{rows, 1, 0, 0})
	storeWords(t, s.Slots["ids"], order[:])
	return s
}

func plan(t tester, g *Graph) *Program {
	t.Helper()
	p, err := g.Plan()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func record(t testing.TB, p *Program, s Spans) *Recording {
	t.Helper()
	r, err := p.Record(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func runOnce(t tester, p *Program, s Spans) {
	t.Helper()
	r, err := p.Record(s)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Run(); err != nil {
		t.Fatal(err)
	}
}
