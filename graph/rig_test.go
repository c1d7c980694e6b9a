package graph

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"slices"
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

// widest is the most columns of a value that stretch works on.
const widest = 64

type (
	normSpec struct{ lanes uint32 }
	normPush struct {
		width      int
		scale, eps float64
		last       uint32
	}
)

// stretch adds the one kernel of these tests that runs: y's columns are x's, in turn doubled and
// halved. It is an RMSNorm that divides by 1, on a software device with one invocation for a row.
func stretch(g *Graph, y, x Value) {
	g.Call("stretch", Kernel{Shader: "rmsnorm", Spec: normSpec{1}}, []Value{g.Slot("params", 0, 1, 4), x, g.Slot("factors", 0, 1, widest), y},
		normPush{x.Cols / 4, 0, 1, 0}, [3]int{rows, 1, 1}, Cost{Bytes: 2 * y.Bytes(), Flops: 1})
}

// factors are what stretch multiplies columns with.
func factors() []float32 {
	f := make([]float32, widest)
	for i := range f {
		f[i] = []float32{2, 0.5}[i%2]
	}
	return f
}

// stretched is what stretch does several times, on the host.
func stretched(x []float32, times int) []float32 {
	y := slices.Clone(x)
	for range times {
		for i := range y {
			y[i] *= factors()[i%2] // rows have an even number of columns
		}
	}
	return y
}

// same compares except for the last bits, in which a device's square root of 1 may be off.
func same(got, want []float32) bool {
	return slices.EqualFunc(got, want, func(a, b float32) bool {
		return math.Abs(float64(a-b)) <= 1e-5*math.Abs(float64(b))
	})
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

// newSpans makes the memory of a program: the arena, what stretch reads, and slots of some bytes.
func newSpans(t testing.TB, arena, bytes int64, slots ...string) Spans {
	t.Helper()
	s := Spans{Arena: newBuffer(t, max(arena, 256)).Whole(), Slots: map[string]vk.Span{}}
	for _, name := range slots {
		s.Slots[name] = newBuffer(t, bytes).Whole()
	}
	s.Slots["params"], s.Slots["factors"] = newBuffer(t, 16).Whole(), newBuffer(t, 4*widest).Whole()
	storeWords(t, s.Slots["params"], []uint32{rows, 1, 0, 0})
	store(t, s.Slots["factors"], factors())
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
