// Package fidelity measures how much of a token a model still has when it has read on: MemMamba's
// expected token memory fidelity, ETMF (arXiv 2510.03279, section 3). The paper publishes no formula;
// this one is ours. In layer l at distance k it is the mean over tokens i of max(ρ, π):
//
//   - ρ = ‖exp(A Σ Δ) ⊙ w‖ / ‖w‖ with w = Δ_i u_i B_iᵀ, token i's write to the state, and the sum over the
//     tokens i+1 to i+k: the share of the write that the state has kept, exactly;
//   - π = ‖Q x_i‖ / ‖x_i‖ with Q the projection onto note_proj's row space: the share of the layer's
//     input that a note can hold, if token i's note is in a pool that is read at token i+k, else 0.
package fidelity

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Weights are what a layer's measure needs of a model. Each of the heads has E / Heads neighbouring channels
// with a time step of their own, each of the groups Heads / Groups neighbouring heads that share B: Mamba's
// channels are heads of one channel, in one group.
type Weights struct {
	A             []float32 // (Heads, N), negative; or (Heads, 1) where all of a head fades alike
	Notes         []float32 // (S, d), note_proj; nil for a layer without memory
	D             int       // d
	E, N          int
	Heads, Groups int
}

// A Layer follows some tokens through one layer.
type Layer struct {
	w         Weights
	basis     [][]float64 // orthonormal rows that span note_proj's
	distances []int
	chosen    map[int]bool // positions of the tokens to follow
	sum       []float64    // ΣΔ of all tokens so far, (Heads)
	followed  map[int]*token
	curve     Curve
}

// token is one that is followed: the squares of its write, which is an outer product.
type token struct {
	du2   []float64 // (Δ u)² of all channels of a head, (Heads)
	b2    []float32 // B², (Groups, N)
	bb    []float64 // and its sums, (Groups)
	norm2 float64   // of the write
	since []float64 // ΣΔ up to the token, (Heads)
	pi    float64
}

// A Curve is a layer's measure by distance: means over tokens.
type Curve struct {
	State      []float64 // ρ
	Remembered []float64 // the share of tokens whose note is in a pool that is read
	ETMF       []float64
	Error      []float64 // standard error of ETMF
	tokens     []int
	square     []float64
}

// NewLayer prepares to follow the tokens at some positions to some distances.
func NewLayer(w Weights, distances, positions []int) (*Layer, error) {
	if w.Groups < 1 || w.Heads < 1 || w.Heads%w.Groups != 0 || w.E%w.Heads != 0 {
		return nil, fmt.Errorf("%d channels are not of %d heads, or these not of %d groups", w.E, w.Heads, w.Groups)
	}
	if len(w.A) != w.Heads*w.N && len(w.A) != w.Heads {
		return nil, fmt.Errorf("A has %d numbers, want %d × %d", len(w.A), w.Heads, w.N)
	}
	if w.Notes != nil && (len(w.Notes) == 0 || len(w.Notes)%w.D != 0) {
		return nil, fmt.Errorf("note_proj has %d numbers, no rows of %d", len(w.Notes), w.D)
	}
	n := len(distances)
	l := &Layer{
		w: w, distances: distances, chosen: map[int]bool{}, sum: make([]float64, w.Heads), followed: map[int]*token{},
		curve: Curve{State: make([]float64, n), Remembered: make([]float64, n), ETMF: make([]float64, n), Error: make([]float64, n),
			tokens: make([]int, n), square: make([]float64, n)},
	}
	for _, i := range positions {
		l.chosen[i] = true
	}
	if w.Notes != nil {
		l.basis = rowSpace(w.Notes, w.D)
	}
	return l, nil
}

// Add takes in the next token, at position t: its normalized input x (d), u (E), Δ (Heads), B (Groups, N).
// remembered says whether the note of a token is in a pool that is read at t.
func (l *Layer) Add(t int, x, u, delta, b []float32, remembered func(position int) bool) {
	for head, d := range delta {
		l.sum[head] += float64(d)
	}
	for k, distance := range l.distances {
		i := t - distance
		if from := l.followed[i]; from != nil {
			l.measure(k, from, remembered(i))
			if k == len(l.distances)-1 {
				delete(l.followed, i)
			}
		}
	}
	if l.chosen[t] {
		l.followed[t] = l.follow(x, u, delta, b)
	}
}

func (l *Layer) follow(x, u, delta, b []float32) *token {
	H, G, p := l.w.Heads, l.w.Groups, l.w.E/l.w.Heads
	f := &token{since: append([]float64(nil), l.sum...), du2: make([]float64, H), b2: make([]float32, G*l.w.N), bb: make([]float64, G)}
	for i, v := range b {
		f.b2[i] = v * v
		f.bb[i/l.w.N] += float64(v) * float64(v)
	}
	for e, v := range u {
		write := float64(delta[e/p]) * float64(v)
		f.du2[e/p] += write * write
	}
	for head, du2 := range f.du2 {
		f.norm2 += du2 * f.bb[head/(H/G)]
	}
	f.pi = share(l.basis, x)
	return f
}

// kept is how much of the squares of B is left in a head after steps that add up to so much.
func (l *Layer) kept(f *token, head int, later float64) (left float64) {
	group, N := head/(l.w.Heads/l.w.Groups), l.w.N
	if len(l.w.A) == l.w.Heads {
		return math.Exp(2*float64(l.w.A[head])*later) * f.bb[group]
	}
	b2 := f.b2[group*N : (group+1)*N]
	for n, a := range l.w.A[head*N : (head+1)*N] {
		left += math.Exp(2*float64(a)*later) * float64(b2[n])
	}
	return left
}

// measure adds a token to the means at distance k.
func (l *Layer) measure(k int, f *token, remembered bool) {
	var left float64
	for head, du2 := range f.du2 {
		left += du2 * l.kept(f, head, l.sum[head]-f.since[head])
	}
	rho := 0.0 // of a write of nothing, nothing is left
	if f.norm2 > 0 {
		rho = math.Sqrt(left / f.norm2)
	}
	fidelity := rho
	c := &l.curve
	if remembered {
		fidelity = max(rho, f.pi)
		c.Remembered[k]++
	}
	c.State[k] += rho
	c.ETMF[k] += fidelity
	c.square[k] += fidelity * fidelity
	c.tokens[k]++
}

// Curve returns the means over the tokens that were followed so far. It may be called once.
func (l *Layer) Curve() Curve {
	c := l.curve
	for k := range c.ETMF {
		n := float64(c.tokens[k])
		c.State[k] /= n
		c.Remembered[k] /= n
		c.ETMF[k] /= n
		c.Error[k] = math.Sqrt(max(0, c.square[k]/n-c.ETMF[k]*c.ETMF[k]) / (n - 1))
	}
	return c
}

// Spread returns n positions below end, one drawn from each of n equal parts; all of them when there
// are no more than n.
func Spread(seed uint64, n, end int) []int {
	rng := rand.New(rand.NewPCG(seed, uint64(end)))
	n = min(n, end)
	at := make([]int, n)
	for i := range at {
		from, to := i*end/n, (i+1)*end/n
		at[i] = from + rng.IntN(to-from)
	}
	return at
}
