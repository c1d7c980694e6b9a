package fidelity

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

const d, e, n = 5, 3, 2

// drive feeds T random tokens to a layer and returns them.
func drive(l *Layer, T int, remembered func(i, t int) bool) (x, u, delta, b [][]float32) {
	rng := rand.New(rand.NewPCG(4, 2))
	random := func(n int, low, high float64) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = float32(low + (high-low)*rng.Float64())
		}
		return out
	}
	for t := range T {
		x, u = append(x, random(d, -1, 1)), append(u, random(e, -1, 1))
		delta, b = append(delta, random(e, 0.01, 0.5)), append(b, random(n, -1, 1))
		l.Add(t, x[t], u[t], delta[t], b[t], func(i int) bool { return remembered(i, t) })
	}
	return x, u, delta, b
}

var decays = []float32{-1, -2, -0.5, -0.1, -0.3, -0.9}

// TestState holds ρ to a state that one token alone writes to and that is then carried token by token.
func TestState(t *testing.T) {
	const at, T = 7, 40
	distances := []int{1, 2, 8, 30}
	l, err := NewLayer(Weights{A: decays, D: d, E: e, N: n, Heads: e, Groups: 1}, distances, []int{at})
	if err != nil {
		t.Fatal(err)
	}
	_, u, delta, b := drive(l, T, func(int, int) bool { return false })
	c := l.Curve()
	h := make([]float64, e*n)
	var first float64
	for i := at; i < T; i++ {
		var norm float64
		for k := range h {
			if i == at {
				h[k] = float64(delta[at][k/n]) * float64(u[at][k/n]) * float64(b[at][k%n])
			} else {
				h[k] *= math.Exp(float64(decays[k]) * float64(delta[i][k/n]))
			}
			norm += h[k] * h[k]
		}
		if i == at {
			first = norm
		}
		if k := slices.Index(distances, i-at); k >= 0 {
			want := math.Sqrt(norm / first)
			if math.Abs(c.State[k]-want) > 1e-6 || c.ETMF[k] != c.State[k] || c.Remembered[k] != 0 {
				t.Errorf("distance %d: %g and %g, want %g", i-at, c.State[k], c.ETMF[k], want)
			}
		}
	}
}

// TestHeads: heads of several channels, and groups of heads, measure as their channels do one by one.
func TestHeads(t *testing.T) {
	const H, G, p, T = 4, 2, 3, 30
	rng := rand.New(rand.NewPCG(7, 9))
	random := func(n int) []float32 {
		out := make([]float32, n)
		for i := range out {
			out[i] = float32(0.1 + rng.Float64())
		}
		return out
	}
	A, wide := []float32{-0.1, -1, -0.3, -0.02}, make([]float32, 0, H*p*n)
	for e := range H * p {
		wide = append(wide, slices.Repeat([]float32{A[e/p]}, n)...)
	}
	heads, err := NewLayer(Weights{A: A, D: d, E: H * p, N: n, Heads: H, Groups: G}, []int{1, 5, 11}, []int{2, 3, 9})
	if err != nil {
		t.Fatal(err)
	}
	// Each channel alone, of the numbers of B that its group has.
	var alone []*Layer
	for e := range H * p {
		l, err := NewLayer(Weights{A: wide[e*n : e*n+n], D: d, E: 1, N: n, Heads: 1, Groups: 1}, []int{1, 5, 11}, []int{2, 3, 9})
		if err != nil {
			t.Fatal(err)
		}
		alone = append(alone, l)
	}
	never := func(int) bool { return false }
	for at := range T {
		x, u, delta, b := random(d), random(H*p), random(H), random(G*n)
		heads.Add(at, x, u, delta, b, never)
		for e, l := range alone {
			g := e / (p * H / G)
			l.Add(at, x, u[e:e+1], delta[e/p:e/p+1], b[g*n:(g+1)*n], never)
		}
		if at == 8 {
			checkShare(t, heads, alone, 3, 5)
		}
	}
}

// checkShare: what is left in all channels of a token that both follow, the given number of tokens later.
func checkShare(t *testing.T, heads *Layer, alone []*Layer, token, later int) {
	t.Helper()
	var left, whole float64
	for _, l := range alone {
		f := l.followed[token]
		left += f.du2[0] * l.kept(f, 0, l.sum[0]-f.since[0])
		whole += f.norm2
	}
	f := heads.followed[token]
	var got float64
	for head, du2 := range f.du2 {
		got += du2 * heads.kept(f, head, heads.sum[head]-f.since[head])
	}
	if math.Abs(got-left) > 1e-7*whole || math.Abs(f.norm2-whole) > 1e-7*whole {
		t.Errorf("after %d tokens %g of %g is left, want %g of %g", later, got, f.norm2, left, whole)
	}
}

// TestNotes: where a note can be read, a token counts as much as note_proj keeps of it.
func TestNotes(t *testing.T) {
	rows := []float32{1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 1, 0, 0, 0} // the third is in the span of the others
	w := Weights{A: []float32{-50, -50, -50, -50, -50, -50}, Notes: rows, D: d, E: e, N: n, Heads: e, Groups: 1}
	at := []int{3, 4, 5, 6}
	l, err := NewLayer(w, []int{20}, at)
	if err != nil {
		t.Fatal(err)
	}
	x, _, _, _ := drive(l, 40, func(i, t int) bool {
		if t != i+20 || !slices.Contains(at, i) {
			return true // not what is asked for
		}
		return i != 4
	})
	var want float64
	var all []float64
	for _, i := range at {
		var inside, whole float64
		for k, v := range x[i] {
			whole += float64(v) * float64(v)
			if k < 2 {
				inside += float64(v) * float64(v)
			}
		}
		pi := math.Sqrt(inside / whole)
		if i == 4 {
			pi = 0
		}
		want += pi / 4
		all = append(all, pi)
	}
	var spread float64
	for _, pi := range all {
		spread += (pi - want) * (pi - want) / 3
	}
	c := l.Curve()
	if math.Abs(c.ETMF[0]-want) > 1e-6 || c.Remembered[0] != 0.75 || c.State[0] > 1e-3 {
		t.Errorf("%+v, want %g", c, want)
	}
	if math.Abs(c.Error[0]-math.Sqrt(spread/4)) > 1e-6 {
		t.Errorf("error %g, want %g", c.Error[0], math.Sqrt(spread/4))
	}
}

func TestWeightsMustFit(t *testing.T) {
	for _, w := range []Weights{{A: decays, D: d, E: e, N: 3}, {A: decays, D: d, E: e, N: n, Heads: e, Groups: 1, Notes: make([]float32, 7)}} {
		if _, err := NewLayer(w, []int{1}, []int{0}); err == nil {
			t.Errorf("%+v is taken", w)
		}
	}
}

func TestSpread(t *testing.T) {
	at := Spread(1, 10, 100)
	for i, p := range at {
		if p < 10*i || p >= 10*(i+1) {
			t.Errorf("position %d is %d", i, p)
		}
	}
	if got := Spread(1, 10, 4); !slices.Equal(got, []int{0, 1, 2, 3}) {
		t.Errorf("%v", got)
	}
	if slices.Equal(at, Spread(2, 10, 100)) || !slices.Equal(at, Spread(1, 10, 100)) {
		t.Error("positions do not follow from the seed")
	}
}
