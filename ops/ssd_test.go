package ops

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mmrun/mmrun/graph"
	"github.com/mmrun/mmrun/ops/ref"
)

// A ssdShape is the sizes of a Mamba-2 state space.
type ssdShape struct{ H, p, G, N int }

func (s ssdShape) String() string { return fmt.Sprintf("H=%d/p=%d/G=%d/N=%d", s.H, s.p, s.G, s.N) }

var ssdShapes = []ssdShape{{24, 64, 1, 128}, {3, 5, 1, 8}, {6, 16, 3, 24}, {4, 12, 2, 128}, {5, 36, 5, 256}, {2, 100, 1, 40}, {9, 1, 3, 16}, {3, 63, 3, 12}}

// ssd makes the weights of a state space of any shape, for the device and for the reference.
func ssd(r *rig, s ssdShape) (SSD, ref.SSDWeights) {
	A, D, bias := r.random(s.H, 1), r.random(s.H, 1), r.random(s.H, 1)
	for i, a := range A {
		A[i] = -float32(math.Exp(2 * float64(a)))
		bias[i] -= 2
	}
	pad := func(x []float32) Weight { return r.vector(append(x[:s.H:s.H], make([]float32, Padded(s.H)-s.H)...)) }
	return SSD{DtBias: pad(bias), A: pad(A), D: pad(D), Low: 0.01, High: 0.9, Heads: s.H, HeadDim: s.p, Groups: s.G},
		ref.SSDWeights{DtBias: bias, A: A, D: D, Limit: [2]float64{0.01, 0.9}, Heads: s.H, HeadDim: s.p, Groups: s.G, States: s.N}
}

// sections pads every row of x, which has sections of the given number of numbers, to whole vectors a section.
func sections(x []float32, sizes ...int) []float32 {
	var out []float32
	for len(x) > 0 {
		for _, n := range sizes {
			out = append(append(out, x[:n]...), make([]float32, Padded(n)-n)...)
			x = x[n:]
		}
	}
	return out
}

// sizes are the sections of a row of xBC.
func (s ssdShape) sizes() []int {
	sizes := []int{s.H * s.p}
	for range 2 * s.G {
		sizes = append(sizes, s.N)
	}
	return sizes
}

// states pads h, (rows·E, N).
func (s ssdShape) states(h []float32, rows int) []float32 {
	E, N, wide := s.H*s.p, s.N, Padded(s.N)
	out := make([]float32, rows*Padded(E)*wide)
	for i := range rows * E {
		copy(out[(i/E*Padded(E)+i%E)*wide:], h[i*N:(i+1)*N])
	}
	return out
}

// An ssdRun is T tokens of a sequence whose state is the second of two.
type ssdRun struct {
	z, xBC, dt, h []float32
}

func (s ssdShape) random(r *rig, T int) ssdRun {
	E := s.H * s.p
	return ssdRun{r.random(T*E, 2), r.random(T*(E+2*s.G*s.N), 1), r.random(T*s.H, 2), r.random(2*E*s.N, 1)}
}

// part is tokens [from, to) with the state h.
func (s ssdShape) part(x ssdRun, from, to int, h []float32) ssdRun {
	E, wide := s.H*s.p, s.H*s.p+2*s.G*s.N
	return ssdRun{x.z[from*E : to*E], x.xBC[from*wide : to*wide], x.dt[from*s.H : to*s.H], h}
}

// run takes a part through SSDScan, or one token through SSDStep, by a program for the given number of tokens, and
// returns y and both states without padding.
func (s ssdShape) run(r *rig, on SSD, x ssdRun, view bool, op func(g *graph.Graph, z, xBC, dt graph.Value, s SSD, h graph.Value) graph.Value) (y, h []float32) {
	E, N := s.H*s.p, s.N
	T := len(x.dt) / s.H
	wide := Padded(E) + 2*s.G*Padded(N)
	state := r.value("h", 2*Padded(E), Padded(N), s.states(x.h, 2))
	padded := r.run(op(r.g, r.input(view, "z", T, Padded(E), sections(x.z, E)), r.input(!view, "xBC", T, wide, sections(x.xBC, s.sizes()...)),
		r.input(view, "dt", T, Padded(s.H), sections(x.dt, s.H)), on, state))
	for i, row := range slices.Collect(slices.Chunk(padded, Padded(E))) {
		for _, v := range row[E:] {
			if v != 0 {
				r.t.Fatalf("%s: padding of token %d is %g", s, i, v)
			}
		}
		y = append(y, row[:E]...)
	}
	for i, row := range slices.Collect(slices.Chunk(r.read("h"), Padded(N))) {
		if i%Padded(E) < E {
			h = append(h, row[:N]...)
		}
	}
	return y, h
}

func testSSDScan(t *testing.T, access graph.Access, T int, s ssdShape) {
	t.Helper()
	r := newRig(t, access, T, 1, 1, 0)
	on, w := ssd(r, s)
	x := s.random(r, T)
	y, h := s.run(r, on, x, T%2 == 0, SSDScan)
	near(t, s.String(), y, ref.SSD(w, x.z, x.xBC, x.dt, x.h[len(x.h)/2:], T))
	near(t, s.String()+" state", h, x.h)
}

func TestSSDScan(t *testing.T) {
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		for _, s := range ssdShapes {
			testSSDScan(t, access, T, s)
		}
	})
}

func BenchmarkSSDScan(b *testing.B) {
	for _, s := range []ssdShape{{24, 64, 1, 128}} {
		for _, T := range []int{64, 512} {
			benchmark(b, fmt.Sprintf("%s/%s", mode(T), s), T, func(r *rig) {
				on, _ := ssd(r, s)
				E := s.H * s.p
				SSDScan(r.g, r.value("z", T, E, r.random(T*E, 1)), r.value("xBC", T, E+2*s.G*s.N, r.random(T*(E+2*s.G*s.N), 1)),
					r.value("dt", T, s.H, r.random(T*s.H, 1)), on, r.value("h", E, s.N, make([]float32, E*s.N)))
			})
		}
	}
}

func TestSSDSteps(t *testing.T) {
	sweep(t, func(t *testing.T, access graph.Access, T int) {
		for _, s := range ssdShapes {
			r := newRig(t, access, T, 1, 1, 0)
			on, w := ssd(r, s)
			dt := r.random(T*s.H, 2)
			got := r.run(SSDSteps(r.g, r.input(T%2 == 0, "dt", T, Padded(s.H), sections(dt, s.H)), on))
			var steps []float32
			for row := range slices.Chunk(got, Padded(s.H)) {
				steps = append(steps, row[:s.H]...)
			}
			near(t, s.String(), steps, ref.SSDSteps(w, dt, T))
		}
	})
}

// TestSSDSplit: 64 tokens are 37 and 27, and 64 times one token, in output and in state.
func TestSSDSplit(t *testing.T) {
	const T = 64
	s := ssdShape{6, 20, 2, 24}
	for _, access := range accesses {
		all := s.random(newRig(t, access, T, 1, 1, 0), T)
		var want, last []float32
		for _, lengths := range [][]int{{64}, {37, 27}, slices.Repeat([]int{1}, T)} {
			var y []float32
			h, from := slices.Clone(all.h), 0
			for _, n := range lengths {
				r, op := newRig(t, access, n, 1, 1, 0), SSDScan
				if n == 1 {
					op = SSDStep
				}
				on, _ := ssd(r, s)
				var part []float32
				part, h = s.run(r, on, s.part(all, from, from+n, h), false, op)
				y, from = append(y, part...), from+n
			}
			if want == nil {
				want, last = y, h
			}
			near(t, fmt.Sprintf("%v", lengths), y, want)
			near(t, fmt.Sprintf("%v: state", lengths), h, last)
		}
	}
}

// TestSSDShortPass: a program for many tokens run with fewer leaves the state where these left it, whatever
// lies behind them.
func TestSSDShortPass(t *testing.T) {
	const rows = 257
	s := ssdShape{3, 30, 1, 16}
	for _, access := range accesses {
		for _, T := range []int{1, 2, 63, 64, 200} {
			r := newRig(t, access, T, 1, 1, 0)
			on, w := ssd(r, s)
			x := s.random(r, rows)
			nothing := float32(math.NaN())
			for _, numbers := range [][]float32{x.z, x.xBC, x.dt} {
				for i := len(numbers) / rows * T; i < len(numbers); i++ {
					numbers[i] = nothing
				}
			}
			E, N := s.H*s.p, s.N
			state := r.value("h", 2*Padded(E), Padded(N), s.states(x.h, 2))
			y := r.run(SSDScan(r.g, r.value("z", rows, Padded(E), sections(x.z, E)), r.value("xBC", rows, Padded(E)+2*Padded(N), sections(x.xBC, s.sizes()...)),
				r.value("dt", rows, Padded(s.H), sections(x.dt, s.H)), on, state))
			want := ref.SSD(w, x.z, x.xBC, x.dt, x.h[E*N:], T)
			near(t, fmt.Sprintf("T=%d", T), y[:T*Padded(E)], sections(want, E))
			near(t, fmt.Sprintf("T=%d state", T), r.read("h"), s.states(x.h, 2))
		}
	}
}

// TestSSDForgets: steps that leave nothing of a state, next to such that leave nearly all.
func TestSSDForgets(t *testing.T) {
	const T = 200
	s := ssdShape{4, 8, 1, 16}
	for _, access := range accesses {
		r := newRig(t, access, T, 1, 1, 0)
		on, w := ssd(r, s)
		on.Low, on.High, w.Limit = 0, math.Inf(1), [2]float64{0, math.Inf(1)}
		for i := range w.A {
			w.A[i] *= 100
		}
		on.A = r.vector(sections(w.A, s.H))
		x := s.random(r, T)
		for i := range x.dt {
			x.dt[i] = []float32{-9, 2, -8, 4, -12, -3}[i/5%6]
		}
		y, h := s.run(r, on, x, false, SSDScan)
		near(t, string(access), y, ref.SSD(w, x.z, x.xBC, x.dt, x.h[len(x.h)/2:], T))
		near(t, string(access)+" state", h, x.h)
	}
}

// TestSSDLong: the longest chunk, which a device that stops long loops must finish too.
func TestSSDLong(t *testing.T) {
	for _, access := range accesses {
		testSSDScan(t, access, 4096, ssdShape{2, 4, 1, 256})
	}
}

func TestSSDRefuses(t *testing.T) {
	r := newRig(t, graph.Buffer, 2, 1, 0, 0)
	on, _ := ssd(r, ssdShape{3, 8, 1, 16})
	z, xBC, dt, h := r.g.Temp(2, 24), r.g.Temp(2, 56), r.g.Temp(2, 8), r.g.Temp(24, 16)
	for want, call := range map[string]func(g *graph.Graph){
		"ssd: shapes [2 56] and [3 8 1 16] do not go together":   func(g *graph.Graph) { SSDScan(g, g.Columns(z, 0, 16), xBC, dt, on, h) },
		"ssd: shapes [2 48] and [3 8 1 16] do not go together":   func(g *graph.Graph) { SSDStep(g, z, g.Columns(xBC, 0, 48), dt, on, h) },
		"ssd: shapes [2 56] and [3 8 2 16] do not go together":   func(g *graph.Graph) { two := on; two.Groups = 2; SSDScan(g, z, xBC, dt, two, h) },
		"ssd: shapes [2 552] and [3 8 1 264] do not go together": func(g *graph.Graph) { SSDStep(g, z, g.Temp(2, 552), dt, on, g.Temp(24, 264)) },
	} {
		g := graph.NewAccess(device, graph.Buffer)
		call(g)
		if err := g.Err(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestSSDStep(t *testing.T) {
	for _, access := range accesses {
		for _, rows := range sequenceRows {
			for _, s := range ssdShapes {
				t.Run(fmt.Sprintf("%s/B=%d/%s", access, len(rows), s), func(t *testing.T) { testSSDStep(t, access, rows, s) })
			}
		}
	}
}

// testSSDStep advances B sequences, whose states lie among others, by a token that lies as in_proj leaves it.
func testSSDStep(t *testing.T, access graph.Access, of []int, s ssdShape) {
	B, rows, E, N := len(of), slices.Max(of)+2, s.H*s.p, s.N
	r := newRigOf(t, access, 1, of, make([]int, B))
	on, w := ssd(r, s)
	all := append(append([]int{E}, s.sizes()...), s.H)
	width := E + E + 2*s.G*N + s.H
	in, h := r.random(B*width, 1.5), r.random(rows*E*N, 1)
	wide := len(sections(in[:width], all...))
	state, input := r.value("h", rows*Padded(E), Padded(N), s.states(h, rows)), r.input(B%2 == 0, "in", B, wide, sections(in, all...))
	from, to := Padded(E), wide-Padded(s.H)
	y := r.run(SSDStep(r.g, r.g.Columns(input, 0, from), r.g.Columns(input, from, to), r.g.Columns(input, to, wide), on, state))
	var want []float32
	for b := range B {
		one := in[b*width : (b+1)*width]
		want = append(want, ref.SSD(w, one[:E], one[E:width-s.H], one[width-s.H:], h[of[b]*E*N:][:E*N], 1)...)
	}
	near(t, "y", y, sections(want, E))
	near(t, "state", r.read("h"), s.states(h, rows))
}

func BenchmarkSSDStep(b *testing.B) {
	for _, s := range []ssdShape{{24, 64, 1, 128}} {
		benchmark(b, fmt.Sprintf("mode=decode/%s", s), 1, func(r *rig) {
			on, _ := ssd(r, s)
			E, wide := s.H*s.p, s.H*s.p+2*s.G*s.N
			SSDStep(r.g, r.value("z", 1, E, r.random(E, 1)), r.value("xBC", 1, wide, r.random(wide, 1)), r.value("dt", 1, s.H, r.random(s.H, 1)),
				on, r.value("h", E, s.N, make([]float32, E*s.N)))
		})
	}
}
