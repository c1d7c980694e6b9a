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

// Weights are what a layer's measure needs of a model.
type Weights struct {
	A     []float32 // (E, N), negative
	Notes []float32 // (S, d), note_proj; nil for a layer without memory
	D     int       // d
	E, N  int
}

// A Layer follows some tokens through one layer.
type Layer struct {
	w         Weights
	basis     [][]float64 // orthonormal rows that span note_proj's
	distances []int
	chosen    map[int]bool // positions of the tokens to follow
	sum       []float64    // ΣΔ of all tokens so far
	followed  map[int]*token
	curve     Curve
}

// token is one that is followed: the squares of its write, which is an outer product.
type token struct {
	du2   []float32 // (Δ u)², (E)
	b2    []float32 // B², (N)
	norm2 float64   // of the write
	since []float64 // ΣΔ up to the token, (E)
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
	if len(w.A) != w.E*w.N {
		return nil, fmt.Errorf("A has %d numbers, want %d × %d", len(w.A), w.E, w.N)
	}
	if w.Notes != nil && (len(w.Notes) == 0 || len(w.Notes)%w.D != 0) {
		return nil, fmt.Errorf("note_proj has %d numbers, no rows of %d", len(w.Notes), w.D)
	}
	n := len(distances)
	l := &Layer{
		w: w, distances: distances, chosen: map[int]bool{}, sum: make([]float64, w.E), followed: map[int]*token{},
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

// Add takes in the next token, at position t: its normalized input x (d), u and Δ (E), B (N).
// remembered says whether the note of a token is in a pool that is read at t.
func (l *Layer) Add(t int, x, u, delta, b []float32, remembered func(position int) bool) {
	for e, d := range delta {
		l.sum[e] += float64(d)
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
	f := &token{since: append([]float64(nil), l.sum...), du2: make([]float32, l.w.E), b2: make([]float32, l.w.N)}
	var du, bb float64
	for e := range f.du2 {
		write := float64(delta[e]) * float64(u[e])
		f.du2[e] = float32(write * write)
		du += write * write
	}
	for n := range f.b2 {
		f.b2[n] = b[n] * b[n]
		bb += float64(b[n]) * float64(b[n])
	}
	f.norm2 = du * bb
	f.pi = share(l.basis, x)
	return f
}

// measure adds a token to the means at distance k.
func (l *Layer) measure(k int, f *token, remembered bool) {
	var left float64
	for e, du2 := range f.du2 {
		later := 2 * (l.sum[e] - f.since[e])
		row := l.w.A[e*l.w.N : (e+1)*l.w.N]
		var kept float64
		for n, a := range row {
			kept += math.Exp(float64(a)*later) * float64(f.b2[n])
		}
		left += float64(du2) * kept
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
