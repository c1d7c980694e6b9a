package refmodel

import (
	"fmt"
	"math"
	"slices"
)

// State is one sequence: everything that a token leaves behind.
type State struct {
	model  *Model
	pos    int64
	layers []layerState
	// Reads holds, for every window so far, 1 for each layer whose I_state was above τ2 at the
	// window's start, and 0 for the first window.
	Reads [][]int
	// LayerReads holds the same of the layers that attend to those before them, from the second window on those
	// that nothing has to trigger; 0 for all others.
	LayerReads [][]int
	// Margin is how close any decision so far came to falling the other way.
	Margin Margin
}

type layerState struct {
	conv          [][]float64 // the last K-1 inputs (E), oldest first
	h             []float64   // (E, N)
	pool, pending []note
	token         []projected // its pool, in a window in which it reads
	cross         []projected // the pools of the layers before it
}

// NewState returns an empty sequence.
func (m *Model) NewState() *State {
	c := m.Config
	s := &State{model: m, layers: make([]layerState, c.Layers), Margin: newMargin()}
	for l := range s.layers {
		s.layers[l].h = make([]float64, c.Inner*c.State)
		for range c.Kernel - 1 {
			s.layers[l].conv = append(s.layers[l].conv, make([]float64, c.convolved()))
		}
	}
	return s
}

// Step feeds one token and returns the logits (vocab) of the next. It panics when the token is not
// in the vocabulary.
func (s *State) Step(token int32) []float64 {
	m := s.model
	if token < 0 || int(token) >= m.Config.Vocab {
		panic(fmt.Sprintf("refmodel: token %d is not in the vocabulary of %d", token, m.Config.Vocab))
	}
	if m.Config.Memory != nil && s.pos%int64(m.Config.Window) == 0 {
		s.openWindow()
	}
	r := slices.Clone(m.embeddings.row(int(token)))
	for l := range m.layers {
		w := &m.layers[l]
		x := rmsNorm(r, w.norm, m.Config.Epsilon)
		in := slices.Clone(x)
		if m.Config.Memory != nil {
			s.takeNote(l, x)
			s.recall(l, x, in)
		}
		if m.Config.Heads != nil {
			accumulate(r, s.ssd(l, in))
		} else {
			accumulate(r, s.mixer(l, in))
		}
	}
	s.pos++
	return m.head.mul(rmsNorm(r, m.normF, m.Config.Epsilon), nil)
}

// mixer is Mamba's selective SSM block (arXiv 2312.00752, Algorithm 2 and figure 3) on one token.
func (s *State) mixer(l int, x []float64) []float64 {
	c, w, st := s.model.Config, &s.model.layers[l], &s.layers[l]
	E, N, R := c.Inner, c.State, int(c.Rank)

	xz := w.inProj.mul(x, w.inBias)
	u, z := xz[:E], xz[E:]
	w.convolve(st, u)

	dbc := w.xProj.mul(u, nil)
	dt, B, C := dbc[:R], dbc[R:R+N], dbc[R+N:]
	if c.mixer() == FalconMamba {
		dt, B, C = rmsNorm(dt, nil, c.MixerEpsilon), rmsNorm(B, nil, c.MixerEpsilon), rmsNorm(C, nil, c.MixerEpsilon)
	}
	delta := w.dtProj.mul(dt, w.dtBias)
	y := make([]float64, E)
	for e := range E {
		step := softplus(delta[e])
		h := st.h[e*N : (e+1)*N]
		for n := range N {
			A := -math.Exp(w.aLog.row(e)[n])
			h[n] = math.Exp(step*A)*h[n] + step*u[e]*B[n]
		}
		y[e] = (dot(h, C) + w.d[e]*u[e]) * silu(z[e])
	}
	return w.out.mul(y, w.outBias)
}

// convolve replaces u by the causal convolution's output.
func (w *layer) convolve(st *layerState, u []float64) {
	window := append(slices.Clone(st.conv), slices.Clone(u))
	st.conv = window[1:]
	for e := range u {
		var sum float64
		for k, past := range window {
			sum += w.conv.row(e)[k] * past[e]
		}
		if w.convBias != nil {
			sum += w.convBias[e]
		}
		u[e] = silu(sum)
	}
}

// Result is a run over a sequence. Notes are oldest first; without a memory there are none.
type Result struct {
	Logits      [][]float64   // (T, vocab): of the next token, after each token
	PoolCount   []int         // (L): notes in each layer's pool after the last token
	Pools       [][][]float64 // (L, count, S): their summaries
	Importances [][]float64   // (L, count)
	Positions   [][]int64     // (L, count): their tokens, counted from 0
	Pending     []int         // (L): notes that wait for the window's end
	Reads       [][]int       // (windows, L): State.Reads
	LayerReads  [][]int       // (windows, L): State.LayerReads
	Margin      Margin
}

// Run feeds the tokens to an empty sequence. It panics when one is not in the vocabulary.
func (m *Model) Run(tokens []int32) Result {
	s := m.NewState()
	var r Result
	for _, token := range tokens {
		r.Logits = append(r.Logits, s.Step(token))
	}
	r.Reads, r.LayerReads, r.Margin = s.Reads, s.LayerReads, s.Margin
	for _, st := range s.layers {
		summaries, importances, positions := [][]float64{}, []float64{}, []int64{}
		for _, n := range st.pool {
			summaries = append(summaries, n.summary)
			importances = append(importances, n.importance)
			positions = append(positions, n.position)
		}
		r.PoolCount = append(r.PoolCount, len(st.pool))
		r.Pools = append(r.Pools, summaries)
		r.Importances = append(r.Importances, importances)
		r.Positions = append(r.Positions, positions)
		r.Pending = append(r.Pending, len(st.pending))
	}
	return r
}

// Greedy feeds the prompt and returns the n tokens that follow, each the likeliest, the lowest id
// among equals. End-of-text tokens do not end it. An empty prompt has no continuation.
func (m *Model) Greedy(prompt []int32, n int) []int32 {
	s := m.NewState()
	var logits []float64
	for _, token := range prompt {
		logits = s.Step(token)
	}
	var out []int32
	for len(out) < n && logits != nil {
		best := 0
		for i, v := range logits {
			if v > logits[best] {
				best = i
			}
		}
		out = append(out, int32(best))
		logits = s.Step(int32(best))
	}
	return out
}

func dot(a, b []float64) float64 {
	var sum float64
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

func accumulate(sum, x []float64) {
	for i, v := range x {
		sum[i] += v
	}
}

// rmsNorm returns x / sqrt(mean(x²) + eps) ⊙ weight; a nil weight stands for ones.
func rmsNorm(x, weight []float64, eps float64) []float64 {
	scale := 1 / math.Sqrt(dot(x, x)/float64(len(x))+eps)
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = v * scale
		if weight != nil {
			out[i] *= weight[i]
		}
	}
	return out
}

// sigmoid is exact enough far from zero too: exp(-x) is then 0 or infinite, the result 1 or 0.
func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func silu(x float64) float64 { return x * sigmoid(x) }

// softplus is ln(1 + exp(x)); above 40 the one is beyond float64's reach and exp may overflow.
func softplus(x float64) float64 {
	if x > 40 {
		return x
	}
	return math.Log1p(math.Exp(x))
}
