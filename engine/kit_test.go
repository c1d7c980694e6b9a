package engine_test

import (
	"encoding/binary"
	"errors"
	"flag"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/mmrun/mmrun/checkpoint/safetensors"
	. "github.com/mmrun/mmrun/engine"
	"github.com/mmrun/mmrun/internal/refmodel"
	"github.com/mmrun/mmrun/memmamba"
	"github.com/mmrun/mmrun/ops"
)

// A drawn is a random model that was drawn and not written yet.
type drawn struct {
	vocab, tokens int // of the vocabulary, and of its texts at the most
	write         func(dir string, text []int32) error
}

// draws are how models of every architecture are drawn, and how many: each builds the kernels of two.
var draws = map[string]struct {
	times int
	draw  func(r *rapid.T) drawn
}{
	refmodel.Mamba:       {3, func(r *rapid.T) drawn { return separated(r, drawMixer(r, refmodel.Mamba)) }},
	refmodel.FalconMamba: {3, func(r *rapid.T) drawn { return separated(r, drawMixer(r, refmodel.FalconMamba)) }},
	refmodel.Mamba2:      {4, func(r *rapid.T) drawn { return separated(r, drawMixer(r, refmodel.Mamba2)) }},
	refmodel.MemMamba:    {6, func(r *rapid.T) drawn { return separated(r, drawMemory(r)) }},
	refmodel.GPTNeoX:     {4, drawTransformer},
}

// check checks a property a number of times.
func check(t *testing.T, times int, property func(r *rapid.T)) {
	t.Helper()
	if err := flag.Set("rapid.checks", strconv.Itoa(times)); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, property)
}

func between(r *rapid.T, name string, least, most int) int {
	return rapid.IntRange(least, most).Draw(r, name)
}

func yes(r *rapid.T, name string) bool { return rapid.Bool().Draw(r, name) }

// drawMixer draws a state-space model, now and then with a vocabulary of which the device chooses.
func drawMixer(r *rapid.T, kind string) refmodel.Config {
	c := refmodel.Default(kind)
	c.Vocab = rapid.SampledFrom([]int{1, 40, 131, ChooseFrom + 5}).Draw(r, "V")
	c.Hidden, c.Inner, c.Layers = between(r, "d", 1, 40), between(r, "E", 1, 70), between(r, "L", 1, 5)
	c.State = rapid.SampledFrom([]int{4, 1, 16, 17, 130}).Draw(r, "N")
	c.Kernel, c.Rank = between(r, "K", 2, 5), refmodel.Rank(between(r, "R", 1, 5))
	c.Bias, c.ConvBias, c.Tied = yes(r, "bias"), yes(r, "conv bias"), yes(r, "tied")
	if c.Memory != nil {
		kind = rapid.SampledFrom([]string{refmodel.Mamba, refmodel.Mamba2, refmodel.FalconMamba}).Draw(r, "mixer")
		c.Mixer = kind
	}
	if kind == refmodel.Mamba2 {
		c = withHeads(c, func(name string, least, most int) int { return between(r, name, least, most) })
	}
	return c
}

// withHeads gives a model a mixer of Mamba-2 with what draw returns of sizes and choices.
func withHeads(c refmodel.Config, draw func(name string, least, most int) int) refmodel.Config {
	h := *refmodel.Default(refmodel.Mamba2).Heads
	h.Groups, h.HeadDim = draw("G", 1, 3), draw("head", 1, 12)
	h.Heads = h.Groups * draw("heads of a group", 1, 2)
	h.NormGroups = []int{h.Groups, 1, h.Heads}[draw("norm groups", 0, 2)]
	h.Norm = draw("norm", 0, 1) == 0
	h.Limit = []refmodel.Limit{{0, math.Inf(1)}, {0.01, 0.1}}[draw("limit", 0, 1)]
	c.Expand = []float64{2, 1, 0.5}[draw("expand", 0, 2)]
	if c.Expand == 2 {
		h.HeadDim *= 2 // E is even
	}
	c.Heads, c.Inner, c.Kernel = &h, h.Heads*h.HeadDim, draw("taps", 1, 4)
	c.Hidden = int(float64(c.Inner) / c.Expand)
	return c
}

// drawMemory draws a MemMamba; one in three of its memory's sizes is large, up to the largest there may be.
func drawMemory(r *rapid.T) refmodel.Config {
	size := func(name string, small, most int) int {
		if between(r, name+" is large", 0, 2) == 2 {
			return between(r, name, most/2, most)
		}
		return between(r, name, 1, small)
	}
	c := drawMixer(r, refmodel.MemMamba)
	c.Summary, c.Pool, c.Window = size("S", 40, ops.MaxSummary), size("P", 20, ops.MaxPool), size("W", 40, ops.MaxWindow)
	if yes(r, "grows") {
		c.Growth, c.Most = between(r, "g", 0, 30), between(r, "most", c.Pool, ops.MaxPool)
	}
	c.Period = between(r, "p", 1, c.Layers)
	c.NoteThreshold = rapid.SampledFrom([]float64{0.5, 0, 0.4, 0.7}).Draw(r, "τ1")
	c.StateThreshold = rapid.SampledFrom([]float64{0.5, 0, 0.4, 0.6, 1}).Draw(r, "τ2")
	c.Replacement = rapid.SampledFrom([]string{"fifo", "priority"}).Draw(r, "replacement")
	c.Pooling = rapid.SampledFrom([]string{"concat", "mean", "max"}).Draw(r, "pooling")
	if yes(r, "triggered") {
		c.Trigger, c.LayerThreshold = "state", rapid.SampledFrom([]float64{0.5, 0, 0.4, 0.6, 1}).Draw(r, "τ3")
	}
	c.Fusion = rapid.SampledFrom([]string{"residual", "gated"}).Draw(r, "fusion")
	return c
}

func drawType(r *rapid.T) refmodel.Random {
	return refmodel.Random{Seed: 1, DType: rapid.SampledFrom([]safetensors.DType{safetensors.F32, safetensors.F16, safetensors.BF16}).Draw(r, "type")}
}

// separated is a model whose hard decisions over the text stay the same, whatever float32 rounds.
func separated(r *rapid.T, c refmodel.Config) drawn {
	d, how := drawn{vocab: c.Vocab, tokens: 150}, drawType(r)
	if c.Memory != nil {
		d.tokens += 2 * c.Window
	}
	d.write = func(dir string, text []int32) error {
		_, _, err := refmodel.WriteSeparated(dir, c, how, text, apart)
		return err
	}
	return d
}

// drawTransformer draws a Transformer whose keys and values may have to grow.
func drawTransformer(r *rapid.T) drawn {
	c, how := refmodel.DefaultTransformer(), drawType(r)
	c.Vocab = rapid.SampledFrom([]int{40, 1, 131, ChooseFrom + 5}).Draw(r, "V")
	c.Heads, c.Inner, c.Layers = between(r, "heads", 1, 4), between(r, "E", 1, 100), between(r, "L", 1, 3)
	width := rapid.SampledFrom([]int{8, 2, 17, 32, 80}).Draw(r, "head")
	c.Hidden = c.Heads * width
	c.Rotary = rapid.SampledFrom([]float64{0.25, 0, 0.5, 1}).Filter(func(share float64) bool { return int(share*float64(width))%2 == 0 }).Draw(r, "rotary")
	c.Parallel, c.AttentionBias, c.Tied = yes(r, "parallel"), yes(r, "bias"), yes(r, "tied")
	d := drawn{vocab: c.Vocab, tokens: FirstTokens + 150}
	c.Positions = between(r, "positions", d.tokens+20, 2000)
	d.write = func(dir string, _ []int32) error { return refmodel.WriteRandomTransformer(dir, c, how) }
	return d
}

// written writes a drawn model and returns its folder, and a text for it.
func written(r *rapid.T, d drawn) (dir string, text []int32) {
	dir, err := os.MkdirTemp("", "drawn")
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { os.RemoveAll(dir) })
	text = refmodel.RandomTokens(refmodel.Config{Vocab: d.vocab}, 1, between(r, "tokens", 1, d.tokens))
	if err = d.write(dir, text); errors.Is(err, refmodel.ErrNotSeparated) {
		r.Skip(err) // one in 150; rapid draws another instead, and fails where it skips most
	}
	if err != nil {
		r.Fatal(err)
	}
	return dir, text
}

// A view is all that a sequence carries, in a state or in a batch.
type view struct {
	position int64
	logits   []float32
	parts    []Part
	data     map[Part][]byte
}

// viewed looks at a sequence of a model.
func viewed(t tester, m *Model, position int64, logits []float32, err error, download func(layer int, name string) ([]byte, error)) view {
	t.Helper()
	v := view{position, logits, m.Config().Parts(), map[Part][]byte{}}
	for _, p := range v.parts {
		if err == nil {
			v.data[p], err = download(p.Layer, p.Name)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	v.blank()
	return v
}

func viewState(t tester, s *State) view {
	t.Helper()
	logits, err := s.Logits()
	return viewed(t, s.Model(), s.Position(), slices.Clone(logits), err, s.Download)
}

func viewBatch(t tester, m *Model, b *Batch, q *Sequence) view {
	t.Helper()
	logits, err := b.Logits(q)
	return viewed(t, m, q.Fed(), logits, err, func(layer int, name string) ([]byte, error) { return b.Download(q, layer, name) })
}

// unread are parts whose rows nobody reads where those of another part are 0: anything may be there.
var unread = map[string]string{"pending": "noted"}

func (v view) blank() {
	for _, p := range v.parts {
		for _, of := range v.parts {
			if of.Layer != p.Layer || of.Name != unread[p.Name] {
				continue
			}
			worth, rows := v.data[of], v.data[p]
			size := len(rows) / (len(worth) / 4)
			for i := range len(worth) / 4 {
				if slices.Max(worth[4*i:4*i+4]) == 0 {
					clear(rows[i*size : (i+1)*size])
				}
			}
		}
	}
}

// compareBits holds a sequence to another to the bit.
func compareBits(t tester, got, want view) {
	t.Helper()
	if got.position != want.position {
		t.Fatalf("position %d, want %d", got.position, want.position)
	}
	if !slices.EqualFunc(got.logits, want.logits, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
		t.Errorf("after %d tokens the logits differ", got.position)
	}
	for _, p := range want.parts {
		if !slices.Equal(got.data[p], want.data[p]) {
			t.Errorf("after %d tokens %s of layer %d differs", got.position, p.Name, p.Layer)
		}
	}
}

// whole are the parts that are whole numbers.
var whole = []string{"position", "reads", "layer_reads"}

// compareStates compares all that sequences carry: what is counted exactly, numbers within tolerance
// since kernels for one token and for many round differently.
func compareStates(t tester, got, want *State) {
	t.Helper()
	a, b := viewState(t, got), viewState(t, want)
	if bad := far(a.logits, b.logits); bad != "" || a.position != b.position {
		t.Fatalf("after %d tokens of %d the logits: %s", a.position, b.position, bad)
	}
	if a, b := got.Recent(math.MaxInt), want.Recent(math.MaxInt); !slices.Equal(a, b) {
		t.Fatalf("tokens %v, want %v", a, b)
	}
	if got.Digest() != want.Digest() {
		t.Fatalf("after the same %d tokens the digests differ", a.position)
	}
	for _, p := range b.parts {
		if slices.Contains(whole, p.Name) {
			if !slices.Equal(a.data[p], b.data[p]) {
				t.Fatalf("%s of layer %d: %v, want %v", p.Name, p.Layer, a.data[p], b.data[p])
			}
		} else if bad := far(numbers(a.data[p]), numbers(b.data[p])); bad != "" {
			t.Fatalf("%s of layer %d: %s", p.Name, p.Layer, bad)
		}
	}
	if memoryConfig(got.Model()) != nil {
		compareMemory(t, got, want)
	}
}

// compareMemory compares what layers have written down, as it is told to callers.
func compareMemory(t tester, got, want *State) {
	t.Helper()
	mine, err := memmamba.Memory(got)
	if err != nil {
		t.Fatal(err)
	}
	other, err := memmamba.Memory(want)
	if err != nil {
		t.Fatal(err)
	}
	same := func(x, y memmamba.Note) bool {
		return x.Position == y.Position && math.Abs(float64(x.Importance-y.Importance)) < tolerance && far(x.Summary, y.Summary) == ""
	}
	for l := range other {
		if mine[l].Reads != other[l].Reads || mine[l].LayerReads != other[l].LayerReads || !slices.EqualFunc(mine[l].Notes, other[l].Notes, same) {
			t.Fatalf("layer %d: memory %v, want %v", l, mine[l], other[l])
		}
	}
}

func numbers(data []byte) []float32 {
	all := make([]float32, len(data)/4)
	for i := range all {
		all[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return all
}
